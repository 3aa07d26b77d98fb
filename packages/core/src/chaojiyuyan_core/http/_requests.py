"""Build HTTP requests from calls: headers, URLs, bodies and timeouts."""

from __future__ import annotations

import json
import sys
from copy import copy
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from chaojiyuyan_core._version import __version__
from chaojiyuyan_core.redaction import Redactor

from ._timeouts import Timeouts

if TYPE_CHECKING:
    import httpx

    from chaojiyuyan_core.api import Call, Fetch

    from ._timeouts import TimeoutTypes

    HTTPClient = httpx.Client | httpx.AsyncClient

MAX_UNSENT_BYTES = 1 << 16
"""Maximum bytes of a request that are buffered, so that head and body are sent together."""

_METHODS_WITH_BODY = ("POST", "PUT", "PATCH")  # they have Content-Length even without a body
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_SYSTEMS = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}


class RequestBuilder:
    """Builds the HTTP request of a call.

    Attributes:
        base_url: The base URL of the platform. Paths of calls are relative to it.
        timeouts: The timeouts of the phases of a request in seconds.
        redactor: Removes the agent key from errors and logs.

    Args:
        api_key: The agent key; None sends no key.
        base_url: The base URL of the platform, without a trailing slash.
        timeout: Seconds for each of connect, write and read, in any form of httpx.
        source: The part of the SDK that sends, such as ``worker``. It is sent to the platform.
    """

    def __init__(
        self,
        api_key: str | None,
        base_url: str,
        *,
        timeout: TimeoutTypes = 30.0,
        source: str | None = None,
    ) -> None:
        self.base_url = base_url
        self.timeouts = Timeouts.parse(timeout)
        self.redactor = Redactor(api_key)
        self._authorization = f"Bearer {api_key}" if api_key else None
        system = _SYSTEMS.get(sys.platform, sys.platform)
        about = f"python/{sys.version_info.major}.{sys.version_info.minor}; {system}"
        if source:
            about += f"; {source}"
        self._headers = {
            "accept": "application/json",
            "accept-encoding": "gzip, deflate",
            "user-agent": f"chaojiyuyan-sdk/{__version__} ({about})",
            "x-sdk-version": __version__,
        }
        if source:
            self._headers["x-sdk-source"] = source
        self._by_kind: dict[tuple[bytes, bool, bool, int | None], httpx.Headers] = {}

    def __repr__(self) -> str:
        """Return a text with the base URL and without the key."""
        return f"<RequestBuilder {self.base_url}>"

    def with_timeout(self, timeout: TimeoutTypes) -> RequestBuilder:
        """Return a copy of the builder with another timeout.

        Args:
            timeout: Seconds for each of connect, write and read, in any form of httpx.
        """
        other = copy(self)
        other.timeouts = Timeouts.parse(timeout)
        return other

    def build(self, call: Call[object]) -> httpx.Request:
        """Build a request without a client, in a fifth of the time of ``Client.build_request``.

        Args:
            call: The call.
        """
        import httpx

        url = self._url_of(call)
        body = encode_body(call)
        # A stream, because httpx searches the headers three times when it gets the content.
        stream = httpx.ByteStream(body or b"")
        request = httpx.Request(
            call.method, url, headers=self._shared_headers(call, url.netloc), stream=stream
        )
        if body is not None or call.method in _METHODS_WITH_BODY:
            request.headers["Content-Length"] = str(len(body or b""))
        request.read()
        return request

    def build_with(self, client: HTTPClient, call: Call[object]) -> httpx.Request:
        """Build a request with a passed-in client, whose base URL and headers win.

        Args:
            client: The passed-in client.
            call: The call.
        """
        import httpx

        stock = f"python-httpx/{httpx.__version__}"
        theirs = client.headers
        headers = {
            name: value
            for name, value in self._headers_of(call).items()
            if theirs.get(name, stock) == stock
        }
        base_url = "" if str(client.base_url) else self.base_url
        return client.build_request(
            call.method,
            base_url + call.path,
            params=call.query,
            headers=headers,
            content=encode_body(call),
        )

    def build_fetch(self, fetch: Fetch, client: HTTPClient | None = None) -> httpx.Request:
        """Build the request of a fetch. It has the key only for the platform's own origin.

        Args:
            fetch: The fetch.
            client: A passed-in client, whose base URL and key win, or None.
        """
        import httpx

        from chaojiyuyan_core._paths import is_endpoint

        # Without compression, so that the number of received bytes is the size of the file.
        headers = {"user-agent": self._headers["user-agent"], "accept-encoding": "identity"}
        headers |= fetch.sink.range_headers()
        request = httpx.Request("GET", fetch.url, headers=headers)
        own, key = httpx.URL(self.base_url), self._authorization
        if client is not None:
            own = client.base_url if str(client.base_url) else own
            key = client.headers.get("authorization") or key
        # No key for endpoints, because a worker that chose the URL must not read the caller's data.
        if key and origin_of(request.url) == origin_of(own) and not is_endpoint(request.url.path):
            request.headers["authorization"] = key
        return request

    def _url_of(self, call: Call[object]) -> httpx.URL:
        """Build the URL of a call from parts, because parsing is slow (a tenth of a request)."""
        import httpx

        base = _parse_url(self.base_url)._uri_reference
        url = httpx.URL.__new__(httpx.URL)
        # Path and query of a call are already quoted in the way of httpx.
        path, query = call.path, urlencode(call.query) if call.query else None
        url._uri_reference = base._replace(path=base.path.rstrip("/") + path, query=query)
        return url

    def _headers_of(self, call: Call[object]) -> dict[str, str]:
        headers = dict(self._headers)
        if call.authorized and self._authorization:
            headers["authorization"] = self._authorization
        if call.body is not None:
            headers["content-type"] = "application/json"
        if call.wait is not None:
            headers["prefer"] = f"wait={_whole_seconds(call.wait)}"
        return headers

    def _shared_headers(self, call: Call[object], host: bytes) -> httpx.Headers:
        """Return the headers of a call, cached for similar calls. A request copies the list."""
        hold = None if call.wait is None else _whole_seconds(call.wait)
        kind = (host, call.authorized, call.body is not None, hold)
        headers = self._by_kind.get(kind)
        if headers is None:
            import httpx

            named = {"Host": host.decode("ascii"), **self._headers_of(call)}
            headers = self._by_kind[kind] = httpx.Headers(named)
        return headers


def encode_body(call: Call[object]) -> bytes | None:
    """Return the JSON body of a call, which is encoded once for all attempts.

    Args:
        call: The call.

    Raises:
        TypeError: The body contains a value that JSON does not have.
        ValueError: The body contains NaN, an infinity or a cycle.
    """
    if call.encoded is None and call.body is not None:
        call.encoded = _ENCODER.encode(call.body).encode()
    return call.encoded


def origin_of(url: httpx.URL) -> tuple[str, str, int | None]:
    """Return the scheme, the host and the port of a URL. A default port is None.

    Args:
        url: An absolute URL.
    """
    return url.scheme, url.host, url.port


def _whole_seconds(seconds: float) -> int:
    """Return whole seconds for RFC 7240, rounded down so that a long-poll ends within its limit."""
    return max(0, int(seconds))


@lru_cache(maxsize=16)
def _parse_url(url: str) -> httpx.URL:
    import httpx

    return httpx.URL(url)
