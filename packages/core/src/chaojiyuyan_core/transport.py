"""Calls onto the wire: headers, URLs, timeouts, and the HTTP client under them.

httpx is imported with the first transport, not with this module.
"""

from __future__ import annotations

import json
import sys
from functools import lru_cache
from typing import TYPE_CHECKING

from ._version import __version__

if TYPE_CHECKING:
    import ssl

    import httpx

    from .api import Call

    HTTPClient = httpx.Client | httpx.AsyncClient

_SYSTEMS = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}


class Requests:
    """Makes the HTTP request of a call.

    :param api_key: the agent key; None leaves the header away.
    :param base_url: where the paths of the calls hang, without a trailing slash.
    :param timeout: seconds that connecting, writing or reading may stand still, each.
    :param source: what sends, such as ``worker``; told to the platform.
    """

    def __init__(
        self, api_key: str | None, base_url: str, *, timeout: float, source: str | None = None
    ) -> None:
        self.base_url = base_url
        self.timeout = timeout
        system = _SYSTEMS.get(sys.platform, sys.platform)
        about = f"python/{sys.version_info.major}.{sys.version_info.minor}; {system}"
        if source:
            about += f"; {source}"
        self.headers = {
            "user-agent": f"chaojiyuyan-sdk/{__version__} ({about})",
            "x-sdk-version": __version__,
        }
        if source:
            self.headers["x-sdk-source"] = source
        self._authorization = f"Bearer {api_key}" if api_key else None

    def headers_of(self, call: Call[object]) -> dict[str, str]:
        """Return the headers of a call, its body's included."""
        headers = dict(self.headers)
        if call.authorized and self._authorization:
            headers["authorization"] = self._authorization
        if call.body is not None:
            headers["content-type"] = "application/json"
        if call.wait is not None:
            headers["prefer"] = f"wait={max(0, round(call.wait))}"
        return headers

    def timeouts_of(self, call: Call[object], limit: float | None) -> dict[str, float]:
        """Return httpx's four timeouts; a held answer (``Prefer: wait``) may take longer."""
        step = self.timeout if limit is None else min(self.timeout, limit)
        read = self.timeout + (call.wait or 0)
        return {
            "connect": step,
            "write": step,
            "pool": step,
            "read": read if limit is None else min(read, limit),
        }

    def build(self, call: Call[object], limit: float | None) -> httpx.Request:
        """Build a request outside any client, which costs a third of ``Client.build_request``."""
        import httpx

        query = f"?{_query(call)}" if call.query else ""
        return httpx.Request(
            call.method,
            f"{self.base_url}{call.path}{query}",
            headers=self.headers_of(call),
            content=encode(call),
            extensions={"timeout": self.timeouts_of(call, limit)},
        )

    def build_with(
        self, client: HTTPClient, call: Call[object], limit: float | None
    ) -> httpx.Request:
        """Build a request by a client handed in: its base URL and headers win over ours."""
        import httpx

        stock = f"python-httpx/{httpx.__version__}"
        theirs = client.headers
        headers = {
            name: value
            for name, value in self.headers_of(call).items()
            if theirs.get(name, stock) == stock
        }
        base_url = "" if str(client.base_url) else self.base_url
        return client.build_request(
            call.method,
            base_url + call.path,
            params=call.query,
            headers=headers,
            content=encode(call),
            timeout=httpx.Timeout(**self.timeouts_of(call, limit)),
        )


class Transport:
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
        connections: int = 100,
    ) -> None:
        import httpx

        self.requests = requests
        self._owned = http_client is None
        self._client = http_client or httpx.Client(
            verify=ssl_context(), limits=_limits(connections), timeout=requests.timeout
        )
        self._faults = httpx.RequestError

    @property
    def http_client(self) -> httpx.Client:
        """The client underneath."""
        return self._client

    def send(self, call: Call[object], timeout: float | None = None) -> httpx.Response | Exception:
        """Send a call once; return the answer, or the fault on the way to it.

        :param timeout: seconds at most, where that is less than the transport's own.
        """
        if self._owned:
            request = self.requests.build(call, timeout)
        else:
            request = self.requests.build_with(self._client, call, timeout)
        try:
            return self._client.send(request)
        except self._faults as fault:
            return fault

    def close(self) -> None:
        """Close the client underneath, if it is our own."""
        if self._owned:
            self._client.close()


class AsyncTransport:
    """Sends calls by an ``httpx.AsyncClient``: the twin of :class:`Transport`."""

    def __init__(
        self,
        requests: Requests,
        *,
        http_client: httpx.AsyncClient | None = None,
        connections: int = 100,
    ) -> None:
        import httpx

        self.requests = requests
        self._owned = http_client is None
        self._client = http_client or httpx.AsyncClient(
            verify=ssl_context(), limits=_limits(connections), timeout=requests.timeout
        )
        self._faults = httpx.RequestError

    @property
    def http_client(self) -> httpx.AsyncClient:
        """The client underneath."""
        return self._client

    async def send(
        self, call: Call[object], timeout: float | None = None
    ) -> httpx.Response | Exception:
        """Send a call once; return the answer, or the fault on the way to it."""
        if self._owned:
            request = self.requests.build(call, timeout)
        else:
            request = self.requests.build_with(self._client, call, timeout)
        try:
            return await self._client.send(request)
        except self._faults as fault:
            return fault

    async def close(self) -> None:
        """Close the client underneath, if it is our own."""
        if self._owned:
            await self._client.aclose()


@lru_cache(maxsize=1)
def ssl_context() -> ssl.SSLContext:
    """Return the process's TLS context: making one reads every root certificate, about 24 ms."""
    import httpx

    return httpx.create_ssl_context()


def encode(call: Call[object]) -> bytes | None:
    """Return the JSON body of a call.

    :raises TypeError: it holds something that JSON has no form for.
    :raises ValueError: it holds NaN, an infinity or a cycle.
    """
    if call.body is None:
        return None
    return json.dumps(
        call.body, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    ).encode()


def _query(call: Call[object]) -> str:
    from urllib.parse import urlencode

    return urlencode(call.query or {})


def _limits(connections: int) -> httpx.Limits:
    import httpx

    return httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
