"""The metrics of a worker, which ``GET /metrics`` on the health port serves.

No label holds a text of a job: labels are capabilities that have a handler, and outcomes.
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
    """Counts what one worker does, over all of its runs.

    Args:
        runtime: Gives the lock.
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
        """Count a job as running, from its award to its end."""
        with self._lock:
            self._running[task] = lease
        try:
            yield
        finally:
            with self._lock:
                del self._running[task]

    def handled(self, task: TaskContext, seconds: float) -> None:  # noqa: ARG002
        """Note how long a run of the handler took."""
        with self._lock:
            self._handlers.observe(seconds)

    def ended(self, task: TaskContext, verdict: Verdict, margin: float) -> None:
        """Note what became of a job, and what was left of its lease."""
        with self._lock:
            self._jobs[task.capability_key, verdict.outcome] += 1
            self._margins.observe(max(margin, 0.0))

    def heartbeat(self, seconds: float) -> None:
        """Note how long a heartbeat took until its answer or its failure."""
        with self._lock:
            self._heartbeats.observe(seconds)

    def progress(self) -> tuple[JobProgress, ...]:
        """Return how far the running jobs are whose handlers tell it."""
        with self._lock:
            return tuple(self._told_progress())

    def _told_progress(self) -> list[JobProgress]:
        return [task.last_progress for task in self._running if task.last_progress is not None]

    def render(self, keys: Iterable[str], *, slots: int, poll_age: float) -> str:
        """Return all series in the Prometheus text format.

        Args:
            keys: The capabilities that have a handler; their series exist from the start.
            slots: How many jobs may run at a time; 0 while the worker does not run.
            poll_age: Seconds since the poll last made a step; 0 while the worker does not run.
        """
        with self._lock:
            return "\n".join(self._lines(keys, slots, poll_age)) + "\n"

    def _lines(self, keys: Iterable[str], slots: int, poll_age: float) -> Iterator[str]:
        keys = list(keys)
        series = {(key, outcome): 0 for key in keys for outcome in Outcome} | self._jobs
        yield from metric(
            "counter",
            f"{PREFIX}_jobs_total",
            "Jobs that were awarded, by what became of them.",
            (
                ({"capability_key": key, "outcome": outcome.name.lower()}, count)
                for (key, outcome), count in series.items()
            ),
        )
        least = min((lease.remaining() for lease in self._running.values()), default=0.0)
        gauges = (
            ("jobs_running", "Jobs from their award to the answer to their submit.", self.running),
            ("slots", "How many jobs may run at a time.", slots),
            ("poll_age_seconds", "Seconds since the poll last made a step.", poll_age),
            (
                "lease_margin_min_seconds",
                "The shortest time left of a running job's lease; 0 without a running job.",
                max(least, 0.0),
            ),
        )
        for name, text, value in gauges:
            yield from metric("gauge", f"{PREFIX}_{name}", text, [({}, value)])
        told = self._told_progress()
        yield from metric(
            "gauge",
            f"{PREFIX}_progress_ratio",
            "Mean progress, 0 to 1, of the running jobs that tell it; 0 without one.",
            (
                (
                    {"capability_key": key},
                    _mean([each.fraction for each in told if each.capability_key == key]),
                )
                for key in keys
            ),
        )
        yield from self._heartbeats.render(
            f"{PREFIX}_heartbeat_seconds", "Seconds from a heartbeat to its answer or failure."
        )
        yield from self._margins.render(
            f"{PREFIX}_lease_margin_seconds", "Seconds left of the lease at the end of a job."
        )
        yield from self._handlers.render(
            f"{PREFIX}_handler_seconds", "Seconds that a run of a handler took."
        )

    @property
    def running(self) -> int:
        """How many jobs run, from their award on."""
        return len(self._running)


def _mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers) if numbers else 0.0
