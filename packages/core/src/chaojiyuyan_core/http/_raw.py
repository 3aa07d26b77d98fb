"""Convert requests and errors between httpx, which callers see, and httpcore, which sends them.

``httpx.HTTPTransport`` does the same with a context manager, a coroutine and a stream of its own
for each request, which take more time than the conversion. This module is imported with the first
request, because it imports httpx.
"""

from __future__ import annotations

from typing import Any

import httpcore
import httpx

FAULTS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
)
"""The errors of httpcore. httpx has an error of the same name for each of them."""


def to_raw_url(url: httpx.URL) -> httpcore.URL:
    """Convert a URL to the form of httpcore.

    Args:
        url: The URL.
    """
    return httpcore.URL(
        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
    )


def to_raw_request(request: httpx.Request) -> httpcore.Request:
    """Convert a request to the form of httpcore.

    Args:
        request: The request.
    """
    stream: Any = request.stream
    raw = httpcore.Request(
        request.method, to_raw_url(request.url), content=stream, extensions=request.extensions
    )
    raw.headers = request.headers.raw  # the constructor would convert each header again
    return raw


def to_response(raw: httpcore.Response) -> httpx.Response:
    """Convert a response to the form of httpx. Its stream stays that of httpcore.

    Args:
        raw: The response.
    """
    stream: Any = raw.stream
    return httpx.Response(raw.status, headers=raw.headers, stream=stream, extensions=raw.extensions)


def to_httpx_fault(fault: Exception) -> Exception:
    """Return the error of httpx for an error of httpcore. Other errors are returned unchanged.

    Args:
        fault: The error.
    """
    if not isinstance(fault, FAULTS):
        return fault
    named: Exception = getattr(httpx, type(fault).__name__)(str(fault))
    named.__cause__ = fault
    return named
