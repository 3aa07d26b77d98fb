"""The one connection to the platform that all tools share."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import httpx

    from chaojiyuyan_core import http
    from chaojiyuyan_core.api import Call
    from chaojiyuyan_core.retry import Retry
    from chaojiyuyan_core.settings import Settings
    from chaojiyuyan_core.transport import AsyncTransport, Requests, Transport

    from .claims import Claims

T = TypeVar("T")

SOURCE = "mcp"

TIMEOUT = 30.0
"""Seconds that connecting, writing or reading may stand still, each."""


class Session:
    """Sends calls, many side by side. The HTTP stack loads with the first one, not before.

    :param settings: the agent key and the base URL.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    async def request(self, call: Call[T]) -> T:
        """Send a call, again where that is safe and may help, and return what it reads.

        :raises HebingAPIError: the last answer is an error.
        :raises httpx.HTTPError: the last attempt met a fault on the wire.
        """
        from chaojiyuyan_core.flow import request, run_async

        return await run_async(request(call, self.retry), self.transport)

    async def send(
        self, call: Call[object], timeout: float | None = None
    ) -> httpx.Response | Exception:
        """Send a call once and return its answer, or the fault on the way to it.

        :param timeout: seconds at most, where that is less than :data:`TIMEOUT`.
        """
        return await self.transport.send(call, timeout)

    @cached_property
    def retry(self) -> Retry:
        """How often and how soon a call is sent again."""
        from chaojiyuyan_core.retry import Retry

        return Retry()

    @cached_property
    def transport(self) -> AsyncTransport:
        """The connections that the tools share."""
        from chaojiyuyan_core.transport import AsyncTransport

        return AsyncTransport(self._requests)

    @cached_property
    def waiting_transport(self) -> http.AsyncTransport:
        """The connections of the waits."""
        from chaojiyuyan_core import http

        key, base_url = self.settings.api_key, self.settings.base_url
        return http.AsyncTransport(
            http.RequestBuilder(key, base_url, timeout=TIMEOUT, source=SOURCE)
        )

    @cached_property
    def beat_transport(self) -> Transport:
        """Connections for the heartbeats alone, which no slow call of a tool can hold up."""
        from chaojiyuyan_core.transport import Transport

        return Transport(self._requests)

    @cached_property
    def claims(self) -> Claims:
        """The jobs that this server has claimed."""
        from .claims import Claims

        return Claims(self)

    @cached_property
    def _requests(self) -> Requests:
        from chaojiyuyan_core.transport import Requests

        key, base_url = self.settings.api_key, self.settings.base_url
        return Requests(key, base_url, timeout=TIMEOUT, source=SOURCE)

    async def close(self) -> None:
        """Stop beating, so that the kernel re-routes what is claimed, and close the connections.

        Those of the beats end with the process: a beat may be on its way.
        """
        made = self.__dict__
        if "claims" in made:
            self.claims.close()
        if "transport" in made:
            await self.transport.close()
        if "waiting_transport" in made:
            await self.waiting_transport.close()
