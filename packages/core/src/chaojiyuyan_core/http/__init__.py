"""Send requests: flows describe what to send, and transports send it.

A flow is a generator. It yields steps (:class:`Send`, :class:`Sleep`, :class:`Notify`) and receives
a :class:`Reply` for each :class:`Send`. :func:`run` and :func:`run_async` drive it with a
:class:`Transport` or an :class:`AsyncTransport`. httpx is imported with the first request, not with
this package.
"""

from __future__ import annotations

from ._drivers import run, run_async
from ._flow import Flow, Notify, Send, Sleep, Step, exchange, request, send
from ._reply import MAX_RETRY_AFTER, Reply
from ._requests import RequestBuilder, encode_body
from ._retry import Retry
from ._timeouts import MAX_CALL_SECONDS, Timeouts, TimeoutTypes, check_seconds
from ._transport import (
    DEFAULT_MAX_CONNECTIONS,
    DEFAULT_MAX_RESPONSE_BYTES,
    AsyncTransport,
    Transport,
)

__all__ = [
    "DEFAULT_MAX_CONNECTIONS",
    "DEFAULT_MAX_RESPONSE_BYTES",
    "MAX_CALL_SECONDS",
    "MAX_RETRY_AFTER",
    "AsyncTransport",
    "Flow",
    "Notify",
    "Reply",
    "RequestBuilder",
    "Retry",
    "Send",
    "Sleep",
    "Step",
    "TimeoutTypes",
    "Timeouts",
    "Transport",
    "check_seconds",
    "encode_body",
    "exchange",
    "request",
    "run",
    "run_async",
    "send",
]
