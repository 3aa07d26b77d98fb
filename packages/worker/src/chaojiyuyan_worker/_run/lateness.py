"""Why a heartbeat is late: a handler kept the interpreter lock, or the process stood still."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaojiyuyan_worker._observe.logger import get_logger

if TYPE_CHECKING:
    from .runtime import Runtime

log = get_logger("chaojiyuyan_worker.leases")

LATE_SECONDS = 1.0
"""Seconds after its time at which a heartbeat is late enough for a log line."""


class Lateness:
    """Tells about what the schedule's thread does too late, and the likely cause.

    Args:
        runtime: Gives the clock and the CPU time.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._asleep = self._cpu = 0.0

    def begin_sleep(self) -> None:
        """Note that the thread is about to sleep."""
        self._asleep, self._cpu = self._runtime.clock(), self._runtime.cpu_time()

    def check(self, planned: float, job_id: str) -> None:
        """Log that a heartbeat is late, if it is.

        Args:
            planned: When the thread was to wake up.
            job_id: The job of the heartbeat.
        """
        now = self._runtime.clock()
        late = now - planned
        if late < LATE_SECONDS:
            return
        busy = self._runtime.cpu_time() - self._cpu
        if busy >= min(late, now - self._asleep) / 2:
            cause = "a handler kept the interpreter lock in C code: give it a process executor"
        else:
            cause = "the process was stopped, suspended, or got no CPU time"
        log.warning("heartbeat %.1f s late: %s", late, cause, extra={"job_id": job_id})
