"""OpenTelemetry spans and metrics, when the program has imported OpenTelemetry.

Each job is a span ``process <capability_key>``, which is current while the handler runs. Metrics:

- ``chaojiyuyan.worker.jobs``: awarded jobs by ``capability_key`` and ``outcome``
- ``chaojiyuyan.worker.handler.duration``: duration of a run of a handler in seconds
- ``chaojiyuyan.worker.lease.margin``: remaining seconds of the lease at the end of a job
- ``chaojiyuyan.worker.heartbeat.duration``: duration of a heartbeat in seconds
- ``chaojiyuyan.worker.slots``: running jobs
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, nullcontext, suppress
from importlib import import_module
from typing import TYPE_CHECKING

from chaojiyuyan_worker._version import __version__

from .logger import get_logger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from opentelemetry.trace import Link

    from chaojiyuyan_worker._run.job import Verdict
    from chaojiyuyan_worker._run.runtime import Lock
    from chaojiyuyan_worker.leases import Lease
    from chaojiyuyan_worker.task import TaskContext

log = get_logger(__name__)

SCOPE = "chaojiyuyan_worker"

PROVIDER_VARIABLES = ("OTEL_PYTHON_TRACER_PROVIDER", "OTEL_PYTHON_METER_PROVIDER")
"""If one of these is set, the OpenTelemetry API configures itself when it is imported."""


class Telemetry:
    """The interface of telemetry. This base class records nothing."""

    def job(self, task: TaskContext, lease: Lease) -> AbstractContextManager[None]:  # noqa: ARG002
        """Return a context manager for a job, from its award to its end.

        Args:
            task: The task of the job.
            lease: The lease of the job.
        """
        return nullcontext()

    def handled(self, task: TaskContext, seconds: float) -> None:
        """Record the duration of a run of the handler."""

    def ended(self, task: TaskContext, verdict: Verdict, margin: float) -> None:
        """Record the outcome of a job, inside :meth:`job`.

        Args:
            task: The task of the job.
            verdict: The outcome of the job.
            margin: The remaining seconds of its lease.
        """

    def heartbeat(self, seconds: float) -> None:
        """Record the duration of a heartbeat until its response or failure."""


class WithOpenTelemetry(Telemetry):
    """Records to another telemetry, and also to OpenTelemetry once the program has imported it.

    Without the import, the program cannot have configured OpenTelemetry. Importing it here would
    double the start time of a worker, and recording to an unconfigured API would cost more than the
    rest of a job's bookkeeping.

    Args:
        own: The other telemetry.
        lock: Prevents two slots from creating the instruments twice.
    """

    def __init__(self, own: Telemetry, lock: Lock) -> None:
        self._own = own
        self._lock = lock
        self._late: OpenTelemetry | None = None
        self._is_missing = False
        if any(name in os.environ for name in PROVIDER_VARIABLES):
            with suppress(ImportError):
                import_module("opentelemetry.trace")

    def job(self, task: TaskContext, lease: Lease) -> AbstractContextManager[None]:
        """Return a context manager with those of both telemetries."""
        own, late = self._own.job(task, lease), self._loaded()
        return own if late is None else _both(own, late.job(task, lease))

    def handled(self, task: TaskContext, seconds: float) -> None:
        """Record the duration of a run of the handler."""
        self._own.handled(task, seconds)
        if (late := self._loaded()) is not None:
            late.handled(task, seconds)

    def ended(self, task: TaskContext, verdict: Verdict, margin: float) -> None:
        """Record the outcome of a job."""
        self._own.ended(task, verdict, margin)
        if (late := self._loaded()) is not None:
            late.ended(task, verdict, margin)

    def heartbeat(self, seconds: float) -> None:
        """Record the duration of a heartbeat."""
        self._own.heartbeat(seconds)
        if (late := self._loaded()) is not None:
            late.heartbeat(seconds)

    def _loaded(self) -> OpenTelemetry | None:
        if self._late is None and "opentelemetry" in sys.modules and not self._is_missing:
            with self._lock:
                self._load()
        return self._late

    def _load(self) -> None:
        if self._late is None and not self._is_missing:
            try:
                self._late = OpenTelemetry()
            except ImportError:  # another package of this namespace, without the API
                self._is_missing = True
            except Exception:
                self._is_missing = True
                log.exception("OpenTelemetry failed to start; it records no spans or metrics")


@contextmanager
def _both(
    outer: AbstractContextManager[None], inner: AbstractContextManager[None]
) -> Iterator[None]:
    with outer, inner:
        yield


class OpenTelemetry(Telemetry):
    """Records to the tracer and the meter of the process."""

    def __init__(self) -> None:
        from opentelemetry import metrics, trace

        self._status = trace.Status(trace.StatusCode.ERROR)
        self._consumer = trace.SpanKind.CONSUMER
        self._current_span = trace.get_current_span
        self._tracer = trace.get_tracer(SCOPE, __version__)
        meter = metrics.get_meter(SCOPE, __version__)
        self._jobs = meter.create_counter("chaojiyuyan.worker.jobs", "{job}")
        self._duration = meter.create_histogram("chaojiyuyan.worker.handler.duration", "s")
        self._margin = meter.create_histogram("chaojiyuyan.worker.lease.margin", "s")
        self._heartbeat = meter.create_histogram("chaojiyuyan.worker.heartbeat.duration", "s")
        self._slots = meter.create_up_down_counter("chaojiyuyan.worker.slots", "{job}")

    @contextmanager
    def job(self, task: TaskContext, lease: Lease) -> Iterator[None]:  # noqa: ARG002
        """Make a span for a job."""
        attributes = {
            "chaojiyuyan.job_id": task.job_id,
            "chaojiyuyan.task_run_id": task.task_run_id or "",
            "chaojiyuyan.capability_key": task.capability_key,
        }
        self._slots.add(1)
        try:
            with self._tracer.start_as_current_span(
                f"process {task.capability_key}",
                kind=self._consumer,
                attributes=attributes,
                links=self._links(task.traceparent),
            ):
                yield
        finally:
            self._slots.add(-1)

    def _links(self, traceparent: str | None) -> list[Link]:
        """Return a link to the caller's span. A parent would control the sampling."""
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        if traceparent is None:
            return []
        context = TraceContextTextMapPropagator().extract({"traceparent": traceparent})
        caller = trace.get_current_span(context).get_span_context()
        return [trace.Link(caller)] if caller.is_valid and caller.is_remote else []

    def handled(self, task: TaskContext, seconds: float) -> None:
        """Record the duration of a run of the handler."""
        self._duration.record(seconds, {"capability_key": task.capability_key})

    def ended(self, task: TaskContext, verdict: Verdict, margin: float) -> None:
        """Record the outcome of a job, inside :meth:`job`."""
        outcome = verdict.outcome.value
        labels = {"capability_key": task.capability_key, "outcome": outcome}
        self._jobs.add(1, labels)
        self._margin.record(max(margin, 0.0), labels)
        span = self._current_span()
        span.set_attribute("chaojiyuyan.outcome", outcome)
        if verdict.reason:
            span.set_status(self._status)
            span.set_attribute("chaojiyuyan.reason", verdict.reason)

    def heartbeat(self, seconds: float) -> None:
        """Record the duration of a heartbeat."""
        self._heartbeat.record(seconds)
