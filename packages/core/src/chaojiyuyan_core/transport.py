"""Calls onto the wire, by an HTTP client underneath.

httpx is imported with the first transport, not with this module.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import copy
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from .api import Fetch
from .requests import Requests

if TYPE_CHECKING:
    import ssl

    import httpx
    from typing_extensions import Self

    from .api import Call
    from .requests import HTTPClient

__all__ = ["AsyncTransport", "Requests", "Transport", "ssl_context"]


CONNECTIONS = 1000
"""The most connections of one transport: each wait for a job may occupy one."""


class _Sender(ABC):
    """What both transports share: the requests, and how a client underneath is treated."""

    def __init__(self, requests: Requests, connections: int, *, handed_in: bool) -> None:
        import httpx

        self.requests = requests
        self._connections = connections
        self._handed_in = handed_in
        self._closes = not handed_in
        self._faults = httpx.RequestError

    @property
    @abstractmethod
    def http_client(self) -> HTTPClient:
        """The client underneath."""

    def sharing(self, requests: Requests) -> Self:
        """Return a transport on the same client underneath, which stays this one's to close.

        :param requests: makes its requests.
        """
        self.http_client  # noqa: B018  (made now, or each would make its own)
        other = copy(self)
        other.requests = requests
        other._closes = False
        return other

    def _request(
        self, client: HTTPClient, call: Call[object], limit: float | None
    ) -> httpx.Request:
        if self._handed_in:
            return self.requests.build_with(client, call, limit)
        return self.requests.build(call, limit)

    def _fetching(self, client: HTTPClient, fetch: Fetch) -> httpx.Request:
        """The request of a fetch, with the key if it goes to the platform's own origin."""
        import httpx

        request = self.requests.build_fetch(fetch)
        own = httpx.URL(str(client.base_url) or self.requests.base_url)
        key = client.headers.get("authorization") or self.requests.authorization
        if key and _origin(request.url) == _origin(own):
            request.headers["authorization"] = key
        return request


class Transport(_Sender):
    """Sends calls by an ``httpx.Client``, its own or one that was handed in.

    :param requests: makes the requests.
    :param http_client: a client to use; it is never closed here.
    :param connections: the most connections of a client of our own, all kept alive.
    """

    def __init__(
        self,
        requests: Requests,
        *,
        http_client: httpx.Client | None = None,
        connections: int = CONNECTIONS,
    ) -> None:
        super().__init__(requests, connections, handed_in=http_client is not None)
        if http_client is not None:
            self.http_client = http_client

    @cached_property
    def http_client(self) -> httpx.Client:
        """The client underneath. Our own is made when it is needed: it reads root certificates."""
        import httpx

        return httpx.Client(verify=ssl_context(), limits=_limits(self._connections))

    def send(
        self, call: Call[object] | Fetch, timeout: float | None = None
    ) -> httpx.Response | Exception:
        """Send a call once; return the answer, or the fault on the way to it.

        :param timeout: seconds at most, where that is less than the transport's own.
        """
        try:
            if isinstance(call, Fetch):
                return self._fetch(call)
            return self.http_client.send(self._request(self.http_client, call, timeout))
        except self._faults as fault:
            return fault

    def _fetch(self, fetch: Fetch) -> httpx.Response:
        request = self._fetching(self.http_client, fetch)
        response = self.http_client.send(request, stream=True, auth=None)
        try:
            if response.is_success:
                fetch.sink.restart()
                for chunk in response.iter_bytes():
                    fetch.sink.write(chunk)
            else:
                response.read()
        finally:
            response.close()
        return response

    def close(self) -> None:
        """Close the client underneath, if it is our own."""
        if self._closes and "http_client" in self.__dict__:
            self.http_client.close()


class AsyncTransport(_Sender):
    """Sends calls by an ``httpx.AsyncClient``: the twin of :class:`Transport`."""

    def __init__(
        self,
        requests: Requests,
        *,
        http_client: httpx.AsyncClient | None = None,
        connections: int = CONNECTIONS,
    ) -> None:
        super().__init__(requests, connections, handed_in=http_client is not None)
        if http_client is not None:
            self.http_client = http_client

    @cached_property
    def http_client(self) -> httpx.AsyncClient:
        """The client underneath. Our own is made when it is needed: it reads root certificates."""
        import httpx

        return httpx.AsyncClient(verify=ssl_context(), limits=_limits(self._connections))

    async def send(
        self, call: Call[object] | Fetch, timeout: float | None = None
    ) -> httpx.Response | Exception:
        """Send a call once; return the answer, or the fault on the way to it."""
        try:
            if isinstance(call, Fetch):
                return await self._fetch(call)
            return await self.http_client.send(self._request(self.http_client, call, timeout))
        except self._faults as fault:
            return fault

    async def _fetch(self, fetch: Fetch) -> httpx.Response:
        request = self._fetching(self.http_client, fetch)
        response = await self.http_client.send(request, stream=True, auth=None)
        try:
            if response.is_success:
                fetch.sink.restart()
                async for chunk in response.aiter_bytes():
                    fetch.sink.write(chunk)
            else:
                await response.aread()
        finally:
            await response.aclose()
        return response

    async def close(self) -> None:
        """Close the client underneath, if it is our own."""
        if self._closes and "http_client" in self.__dict__:
            await self.http_client.aclose()


@lru_cache(maxsize=1)
def ssl_context() -> ssl.SSLContext:
    """Return the process's TLS context: making one reads every root certificate, about 24 ms."""
    import httpx

    return httpx.create_ssl_context()


def _limits(connections: int) -> httpx.Limits:
    import httpx

    return httpx.Limits(max_connections=connections, max_keepalive_connections=connections)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
