"""Find out why a heartbeat is late: a handler held the interpreter lock, or the process paused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaojiyuyan_worker._observe.logger import get_logger

if TYPE_CHECKING:
    from .runtime import Runtime

log = get_logger("chaojiyuyan_worker.leases")

LATE_SECONDS = 1.0
"""Minimum delay of a heartbeat in seconds that is logged."""


class Lateness:
    """Logs late heartbeats with their likely cause.

    Args:
        runtime: Provides the clock and the CPU time.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._asleep = self._cpu = 0.0

    def begin_sleep(self) -> None:
        """Record that the thread is about to sleep."""
        self._asleep, self._cpu = self._runtime.clock(), self._runtime.cpu_time()

    def check(self, planned: float, job_id: str) -> None:
        """Log a heartbeat that is late.

        Args:
            planned: The clock time at which the heartbeat was planned.
            job_id: The id of the job.
        """
        now = self._runtime.clock()
        late = now - planned
        if late < LATE_SECONDS:
            return
        busy = self._runtime.cpu_time() - self._cpu
        if busy >= min(late, now - self._asleep) / 2:
            cause = "a handler held the interpreter lock in C code: use a process executor for it"
        else:
            cause = "the process was stopped or suspended, or it got no CPU time"
        log.warning("heartbeat %.1f s late: %s", late, cause, extra={"job_id": job_id})
