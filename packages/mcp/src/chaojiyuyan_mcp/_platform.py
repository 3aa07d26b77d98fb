"""The one connection to the platform that all tools share."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaojiyuyan_core.api import Call
    from chaojiyuyan_core.http import (
        AsyncTransport,
        Flow,
        Reply,
        RequestBuilder,
        Retry,
        Transport,
    )
    from chaojiyuyan_core.settings import Settings

T = TypeVar("T")

SOURCE = "mcp"

CALL_TIMEOUT = 45.0
"""Seconds for a call with all its retries: clients give up on a tool at about 60."""


def countdown() -> Callable[[], float]:
    """Return a function that tells the seconds which a call that begins now has left."""
    ends = time.monotonic() + CALL_TIMEOUT
    return lambda: ends - time.monotonic()


class Platform:
    """Sends calls, many side by side. The HTTP stack loads with the first one, not before.

    Attributes:
        settings: The agent key and the base URL.
    """

    def __init__(self, settings: Settings) -> None:
        """Connect to nothing yet.

        Args:
            settings: The agent key and the base URL.
        """
        self.settings = settings

    async def request(self, call: Call[T]) -> T:
        """Send a call, again where that is safe and may help, and return what it reads.

        Args:
            call: What to send.

        Raises:
            HebingAPIError: The last answer is an error.
            httpx.HTTPError: The last attempt met a fault on the wire.
        """
        from chaojiyuyan_core.http import request

        return await self.run(request(call, self.retry, left=countdown()))

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow to its end.

        Args:
            flow: Logic of core or of the client.
        """
        from chaojiyuyan_core.http import run_async

        return await run_async(flow, self.transport)

    async def send(self, call: Call[object], timeout: float | None = None) -> Reply:
        """Send a call once and return what came of it.

        Args:
            call: What to send.
            timeout: Seconds in total.
        """
        return await self.transport.send(call, timeout)

    @cached_property
    def retry(self) -> Retry:
        """How often and how soon a call is sent again."""
        from chaojiyuyan_core.http import Retry

        return Retry()

    @cached_property
    def transport(self) -> AsyncTransport:
        """The connections that the tools share."""
        from chaojiyuyan_core.http import AsyncTransport

        return AsyncTransport(self._builder)

    @cached_property
    def heartbeat_transport(self) -> Transport:
        """Connections for the heartbeats alone, which no slow call of a tool can hold up."""
        from chaojiyuyan_core.http import Transport

        return Transport(self._builder)

    @cached_property
    def _builder(self) -> RequestBuilder:
        from chaojiyuyan_core.http import RequestBuilder

        return RequestBuilder(self.settings.api_key, self.settings.base_url, source=SOURCE)

    async def close(self) -> None:
        """Close the connections of the tools.

        Those of the heartbeats end with the process: a heartbeat may be on its way.
        """
        if "transport" in self.__dict__:
            await self.transport.close()
