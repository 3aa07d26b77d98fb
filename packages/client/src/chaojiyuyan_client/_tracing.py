"""OpenTelemetry spans, when the program has imported OpenTelemetry."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext

from ._version import __version__

SCOPE = "chaojiyuyan_client"

TRACEPARENT = "traceparent"
"""The member of `channel_context` that carries the trace (W3C Trace Context)."""

_NOTHING = nullcontext()


class Tracing:
    """The spans of one client.

    Args:
        send_traceparent: Whether to send the trace context with the job. The worker, a stranger,
            then sees the ids of the trace and the span, and nothing else.
    """

    def __init__(self, *, send_traceparent: bool) -> None:
        self._send_traceparent = send_traceparent

    def span(self, method: str, subject: str) -> AbstractContextManager[object]:
        """Return a context manager that makes a span for a method the current span.

        Args:
            method: The method, for example ``run``.
            subject: The capability key or the job id.
        """
        # Without the import, the program cannot have configured a provider.
        if "opentelemetry" not in sys.modules:
            return _NOTHING
        try:
            from opentelemetry import trace
        except ImportError:
            return _NOTHING
        tracer = trace.get_tracer(SCOPE, __version__)
        kind = "chaojiyuyan.job_id" if method == "wait" else "chaojiyuyan.capability_key"
        name = method if method == "wait" else f"{method} {subject}"
        return tracer.start_as_current_span(
            name, kind=trace.SpanKind.CLIENT, attributes={kind: subject}
        )

    def traceparent(self) -> str | None:
        """Return the current span as a ``traceparent`` value, or None when nothing is sent."""
        if not self._send_traceparent or "opentelemetry" not in sys.modules:
            return None
        try:
            from opentelemetry import trace
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
        except ImportError:
            return None
        if not trace.get_current_span().is_recording():
            return None
        carrier: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(carrier)
        return carrier.get(TRACEPARENT)  # no tracestate, because it names vendors
