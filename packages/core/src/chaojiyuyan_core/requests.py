"""Calls as HTTP requests: their headers, URLs, bodies and timeouts.

httpx is imported with the first request, not with this module.
"""

from __future__ import annotations

import json
import sys
from functools import lru_cache
from typing import TYPE_CHECKING

from ._version import __version__

if TYPE_CHECKING:
    import httpx

    from .api import Call, Fetch

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
            "accept": "application/json",
            "accept-encoding": "gzip, deflate",
            "user-agent": f"chaojiyuyan-sdk/{__version__} ({about})",
            "x-sdk-version": __version__,
        }
        if source:
            self.headers["x-sdk-source"] = source
        self._by_kind: dict[tuple[bool, bool, int | None], httpx.Headers] = {}
        self.authorization = f"Bearer {api_key}" if api_key else None

    def headers_of(self, call: Call[object]) -> dict[str, str]:
        """Return the headers of a call, its body's included."""
        headers = dict(self.headers)
        if call.authorized and self.authorization:
            headers["authorization"] = self.authorization
        if call.body is not None:
            headers["content-type"] = "application/json"
        if call.wait is not None:
            headers["prefer"] = f"wait={_whole(call.wait)}"
        return headers

    def timeouts_of(self, call: Call[object], limit: float | None) -> dict[str, float | None]:
        """Return httpx's four timeouts; a held answer (``Prefer: wait``) may take longer.

        A connection that is free is waited for without end, unless the attempt is limited: held
        answers may occupy them all, and nothing is amiss then.
        """
        step = self.timeout if limit is None else min(self.timeout, limit)
        read = self.timeout + (call.wait or 0)
        return {
            "connect": step,
            "write": step,
            "pool": limit,
            "read": read if limit is None else min(read, limit),
        }

    def build(self, call: Call[object], limit: float | None) -> httpx.Request:
        """Build a request outside any client, which costs a third of ``Client.build_request``."""
        import httpx

        query = f"?{_query(call)}" if call.query else ""
        return httpx.Request(
            call.method,
            _url(f"{self.base_url}{call.path}{query}"),
            headers=self._headers_object(call),
            content=encode(call),
            extensions={"timeout": self.timeouts_of(call, limit)},
        )

    def _headers_object(self, call: Call[object]) -> httpx.Headers:
        """The headers of a call as httpx keeps them, made once for all calls of its kind."""
        hold = None if call.wait is None else _whole(call.wait)
        kind = (call.authorized, call.body is not None, hold)
        headers = self._by_kind.get(kind)
        if headers is None:
            import httpx

            headers = self._by_kind[kind] = httpx.Headers(self.headers_of(call))
        return headers

    def build_fetch(self, fetch: Fetch) -> httpx.Request:
        """Build the request of a fetch, without the key."""
        import httpx

        timeout = self.timeout
        return httpx.Request(
            "GET",
            fetch.url,
            # Compressed on the way, a file would not have the size that was announced.
            headers={"user-agent": self.headers["user-agent"], "accept-encoding": "identity"},
            extensions={"timeout": dict.fromkeys(("connect", "write", "pool", "read"), timeout)},
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


def _whole(seconds: float) -> int:
    """Seconds as RFC 7240 writes them; rounded down, or an answer would be held past its limit."""
    return max(0, int(seconds))


@lru_cache(maxsize=256)
def _url(url: str) -> httpx.URL:
    """A parsed URL; parsing it is a tenth of a request, and most go where others went."""
    import httpx

    return httpx.URL(url)


def _query(call: Call[object]) -> str:
    from urllib.parse import urlencode

    return urlencode(call.query or {})
