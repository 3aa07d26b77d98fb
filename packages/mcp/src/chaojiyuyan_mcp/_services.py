"""The objects that the tools of a server share."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from ._catalog import Catalog
from ._platform import Platform

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chaojiyuyan_core.settings import Settings

    from ._claims import Claims
    from ._orders import Limits, Orders


class Services:
    """The connection to the platform and the state of a server. Each part loads on first use.

    Attributes:
        platform: Sends the requests.
        catalog: Reads prices and schemas.
    """

    def __init__(
        self, settings: Settings, limits: Limits, capabilities: Sequence[str] = ()
    ) -> None:
        """Start without orders and claimed jobs.

        Args:
            settings: The agent key and the base URL.
            limits: The limits on the orders.
            capabilities: The keys of the capabilities that are tools.
        """
        self.platform = Platform(settings)
        self.catalog = Catalog(self.platform, capabilities)
        self._limits = limits

    @cached_property
    def orders(self) -> Orders:
        """Places the orders."""
        from ._orders import Orders

        return Orders(self.platform, self.catalog, self._limits)

    @cached_property
    def claims(self) -> Claims:
        """The jobs that this server has claimed."""
        from ._claims import Claims

        return Claims(self.platform)

    async def close(self) -> None:
        """Stop the heartbeats, so that claimed jobs are re-routed, and close the connections."""
        if "claims" in self.__dict__:
            self.claims.close()
        await self.platform.close()
