"""The connection to the platform that all tools share."""

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
"""Maximum seconds for the requests of a call. Clients give up on a tool after about 60."""


def countdown() -> Callable[[], float]:
    """Return a function that returns the seconds left for the requests of a call from now."""
    ends = time.monotonic() + CALL_TIMEOUT
    return lambda: ends - time.monotonic()


class Platform:
    """Sends requests, also concurrently. The HTTP library is imported with the first request.

    Attributes:
        settings: The agent key and the base URL.
    """

    def __init__(self, settings: Settings) -> None:
        """Store the settings, without opening a connection.

        Args:
            settings: The agent key and the base URL.
        """
        self.settings = settings

    async def request(self, call: Call[T], left: Callable[[], float] | None = None) -> T:
        """Send a request, retry it where that is safe and useful, and return the parsed response.

        Args:
            call: The request.
            left: Returns the seconds until the deadline, by default :func:`countdown`.

        Raises:
            HebingAPIError: The last response is an error.
            httpx.HTTPError: The connection failed in the last attempt.
        """
        from chaojiyuyan_core.http import request

        return await self.run(request(call, self.retry, left=left or countdown()))

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow, and return its result.

        Args:
            flow: A flow of the core or client package.
        """
        from chaojiyuyan_core.http import run_async

        return await run_async(flow, self.transport)

    async def send(self, call: Call[object], timeout: float) -> Reply:
        """Send a request once, and return the reply or the connection error.

        Args:
            call: The request.
            timeout: Maximum seconds in total.
        """
        return await self.transport.send(call, timeout)

    @cached_property
    def retry(self) -> Retry:
        """The number and the delays of retries."""
        from chaojiyuyan_core.http import Retry

        return Retry()

    @cached_property
    def transport(self) -> AsyncTransport:
        """The connections that the tools share."""
        from chaojiyuyan_core.http import AsyncTransport

        return AsyncTransport(self._builder)

    @cached_property
    def heartbeat_transport(self) -> Transport:
        """Separate connections for heartbeats, so that slow requests of tools cannot delay them."""
        from chaojiyuyan_core.http import Transport

        return Transport(self._builder)

    @cached_property
    def _builder(self) -> RequestBuilder:
        from chaojiyuyan_core.http import RequestBuilder

        return RequestBuilder(self.settings.api_key, self.settings.base_url, source=SOURCE)

    async def close(self) -> None:
        """Close the connections of the tools.

        The heartbeat connections stay open until the process ends, because a heartbeat may be in
        flight.
        """
        if "transport" in self.__dict__:
            await self.transport.close()
