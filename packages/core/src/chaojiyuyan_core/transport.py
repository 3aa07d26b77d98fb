"""Calls onto the wire, by an HTTP client underneath.

httpx is imported with the first transport, not with this module.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import copy
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

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


C = TypeVar("C", bound="HTTPClient")

_making = Lock()
_making_context = Lock()


class _Sender(ABC, Generic[C]):
    """What both transports share: the requests, and how the client underneath is treated.

    :param requests: makes the requests.
    :param http_client: a client to use; it is never closed here.
    :param connections: the most connections of a client of our own, all kept alive.
    """

    def __init__(
        self,
        requests: Requests,
        *,
        http_client: C | None = None,
        connections: int = CONNECTIONS,
    ) -> None:
        import httpx

        self.requests = requests
        self._client = http_client
        self._connections = connections
        self._handed_in = self._shared = http_client is not None
        # A hook may raise HTTPStatusError; InvalidURL is no HTTPError.
        self._faults = (httpx.HTTPError, httpx.InvalidURL)

    @property
    def http_client(self) -> C:
        """The client underneath. Our own is made when it is needed: it reads root certificates."""
        if self._client is None:
            with _making:
                if self._client is None:
                    self._client = self._made()
        return self._client

    @abstractmethod
    def _made(self) -> C:
        """Make a client of our own."""

    def sharing(self, requests: Requests) -> Self:
        """Return a transport on the same client underneath, which stays this one's to close.

        :param requests: makes its requests.
        """
        self.http_client  # noqa: B018  (made now, or each would make its own)
        other = copy(self)
        other.requests = requests
        other._shared = True
        return other

    def _request(self, call: Call[object], limit: float | None) -> httpx.Request:
        if self._handed_in:
            return self.requests.build_with(self.http_client, call, limit)
        return self.requests.build(call, limit)

    def _fetching(self, fetch: Fetch) -> httpx.Request:
        """The request of a fetch, with the key if it goes to the platform's own origin."""
        import httpx

        client = self.http_client
        request = self.requests.build_fetch(fetch)
        own = httpx.URL(str(client.base_url) or self.requests.base_url)
        key = client.headers.get("authorization") or self.requests.authorization
        if key and _origin(request.url) == _origin(own):
            request.headers["authorization"] = key
        return request


class Transport(_Sender["httpx.Client"]):
    """Sends calls by an ``httpx.Client``, its own or one that was handed in."""

    def _made(self) -> httpx.Client:
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
            return self.http_client.send(self._request(call, timeout))
        except self._faults as fault:
            return fault

    def _fetch(self, fetch: Fetch) -> httpx.Response:
        request = self._fetching(fetch)
        response = self.http_client.send(request, stream=True, auth=None, follow_redirects=False)
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
        if self._client is not None and not self._shared:
            self._client.close()


class AsyncTransport(_Sender["httpx.AsyncClient"]):
    """Sends calls by an ``httpx.AsyncClient``: the twin of :class:`Transport`."""

    def _made(self) -> httpx.AsyncClient:
        import httpx

        return httpx.AsyncClient(verify=ssl_context(), limits=_limits(self._connections))

    async def send(
        self, call: Call[object] | Fetch, timeout: float | None = None
    ) -> httpx.Response | Exception:
        """Send a call once; return the answer, or the fault on the way to it."""
        try:
            if isinstance(call, Fetch):
                return await self._fetch(call)
            return await self.http_client.send(self._request(call, timeout))
        except self._faults as fault:
            return fault

    async def _fetch(self, fetch: Fetch) -> httpx.Response:
        request = self._fetching(fetch)
        response = await self.http_client.send(
            request, stream=True, auth=None, follow_redirects=False
        )
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
        if self._client is not None and not self._shared:
            await self._client.aclose()


def ssl_context() -> ssl.SSLContext:
    """Return the process's TLS context: making one reads every root certificate, about 24 ms."""
    # The cache alone would let every thread that comes before the first is done make its own.
    with _making_context:
        return _ssl_context()


@lru_cache(maxsize=1)
def _ssl_context() -> ssl.SSLContext:
    import httpx

    return httpx.create_ssl_context()


def _limits(connections: int) -> httpx.Limits:
    import httpx

    return httpx.Limits(max_connections=connections, max_keepalive_connections=connections)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
