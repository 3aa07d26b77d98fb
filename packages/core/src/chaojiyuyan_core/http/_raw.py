"""Requests and faults between httpx, which callers see, and httpcore, which sends.

``httpx.HTTPTransport`` does the same with a context manager, a coroutine and a stream of its own
for each request, which cost more than the translation.

Loaded with the first request: it needs httpx.
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
"""What httpcore raises; httpx has a fault of the same name for each."""


def to_raw_url(url: httpx.URL) -> httpcore.URL:
    """Convert a URL to the form of httpcore.

    Args:
        url: The URL.
    """
    return httpcore.URL(
        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
    )


def to_raw_request(request: httpx.Request) -> httpcore.Request:
    """Return a request as httpcore takes it.

    Args:
        request: What is sent.
    """
    stream: Any = request.stream
    raw = httpcore.Request(
        request.method, to_raw_url(request.url), content=stream, extensions=request.extensions
    )
    raw.headers = request.headers.raw  # the constructor would build each of them again
    return raw


def to_response(raw: httpcore.Response) -> httpx.Response:
    """Return an answer as httpx shows it; its stream is still httpcore's.

    Args:
        raw: The answer.
    """
    stream: Any = raw.stream
    return httpx.Response(raw.status, headers=raw.headers, stream=stream, extensions=raw.extensions)


def to_httpx_fault(fault: Exception) -> Exception:
    """Return a fault as httpx names it.

    Args:
        fault: What was raised.
    """
    if not isinstance(fault, FAULTS):
        return fault
    named: Exception = getattr(httpx, type(fault).__name__)(str(fault))
    named.__cause__ = fault
    return named
