"""The metrics of a worker, served by ``GET /metrics`` on the health port.

No label contains text from a job. Labels are the capabilities of the handlers, and outcomes.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from chaojiyuyan_worker._run.job import Outcome

from .prometheus import Histogram, metric
from .telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from chaojiyuyan_worker._run.job import Verdict
    from chaojiyuyan_worker._run.runtime import Runtime
    from chaojiyuyan_worker.leases import Lease
    from chaojiyuyan_worker.task import TaskContext

    from .health import JobProgress

PREFIX = "chaojiyuyan_worker"

HEARTBEAT_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
MARGIN_BOUNDS = (0.0, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0)
HANDLER_BOUNDS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)


class Metrics(Telemetry):
    """The metrics of one worker over all of its runs.

    Args:
        runtime: Provides the lock.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._lock = runtime.lock()
        self._jobs: Counter[tuple[str, Outcome]] = Counter()
        self._running: dict[TaskContext, Lease] = {}
        self._heartbeats = Histogram(HEARTBEAT_BOUNDS)
        self._margins = Histogram(MARGIN_BOUNDS)
        self._handlers = Histogram(HANDLER_BOUNDS)

    @contextmanager
    def job(self, task: TaskContext, lease: Lease) -> Iterator[None]:
        """Count a job as running from its award to its end."""
        with self._lock:
            self._running[task] = lease
        try:
            yield
        finally:
            with self._lock:
                del self._running[task]

    def handled(self, task: TaskContext, seconds: float) -> None:  # noqa: ARG002
        """Record the duration of a run of the handler."""
        with self._lock:
            self._handlers.observe(seconds)

    def ended(self, task: TaskContext, verdict: Verdict, margin: float) -> None:
        """Record the outcome of a job, and the remaining time of its lease."""
        with self._lock:
            self._jobs[task.capability_key, verdict.outcome] += 1
            self._margins.observe(max(margin, 0.0))

    def heartbeat(self, seconds: float) -> None:
        """Record the duration of a heartbeat until its response or failure."""
        with self._lock:
            self._heartbeats.observe(seconds)

    def progress(self) -> tuple[JobProgress, ...]:
        """Return the progress of the running jobs whose handlers report it."""
        with self._lock:
            return tuple(self._told_progress())

    def _told_progress(self) -> list[JobProgress]:
        return [task.last_progress for task in self._running if task.last_progress is not None]

    def render(self, keys: Iterable[str], *, slots: int, poll_age: float) -> str:
        """Return all series in the Prometheus text format.

        Args:
            keys: The capabilities of the handlers. Their series exist from the start.
            slots: The maximum number of running jobs; 0 while the worker is not running.
            poll_age: Seconds since the last progress of the poll loop; 0 while the worker is not
                running.
        """
        with self._lock:
            return "\n".join(self._lines(keys, slots, poll_age)) + "\n"

    def _lines(self, keys: Iterable[str], slots: int, poll_age: float) -> Iterator[str]:
        keys = list(keys)
        series = {(key, outcome): 0 for key in keys for outcome in Outcome} | self._jobs
        yield from metric(
            "counter",
            f"{PREFIX}_jobs_total",
            "Awarded jobs by outcome.",
            (
                ({"capability_key": key, "outcome": outcome.name.lower()}, count)
                for (key, outcome), count in series.items()
            ),
        )
        least = min((lease.remaining() for lease in self._running.values()), default=0.0)
        gauges = (
            ("jobs_running", "Running jobs, from award to settlement.", self.running),
            ("slots", "Maximum number of running jobs.", slots),
            ("poll_age_seconds", "Seconds since the last progress of the poll loop.", poll_age),
            (
                "lease_margin_min_seconds",
                "Minimum remaining seconds of a running job's lease; 0 without a running job.",
                max(least, 0.0),
            ),
        )
        for name, text, value in gauges:
            yield from metric("gauge", f"{PREFIX}_{name}", text, [({}, value)])
        told = self._told_progress()
        yield from metric(
            "gauge",
            f"{PREFIX}_progress_ratio",
            "Mean progress, 0 to 1, of the running jobs that report it; 0 without one.",
            (
                (
                    {"capability_key": key},
                    _mean([each.fraction for each in told if each.capability_key == key]),
                )
                for key in keys
            ),
        )
        yield from self._heartbeats.render(
            f"{PREFIX}_heartbeat_seconds", "Seconds from a heartbeat to its response or failure."
        )
        yield from self._margins.render(
            f"{PREFIX}_lease_margin_seconds", "Remaining seconds of the lease at the end of a job."
        )
        yield from self._handlers.render(
            f"{PREFIX}_handler_seconds", "Duration of a run of a handler in seconds."
        )

    @property
    def running(self) -> int:
        """The number of running jobs, from their award."""
        return len(self._running)


def _mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers) if numbers else 0.0
