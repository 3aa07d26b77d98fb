"""The jobs that this worker gave up, and when it may bid on them again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

OTHERS_FIRST_SECONDS = 15.0
"""Seconds that a job given up is left to other workers, once its lease has expired."""

MAX_REMEMBERED = 10_000
"""How many jobs are remembered."""

NEVER = float("inf")


class GivenUp:
    """Remembers the jobs that were given up. It belongs to the worker, not to one run of it.

    Args:
        clock: Gives monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    def add(self, job_id: str, lease_left: float, *, for_good: bool) -> None:
        """Remember a job.

        Args:
            job_id: The job.
            lease_left: Seconds until its lease expires and others may bid on it.
            for_good: Never bid on it again.
        """
        wait = NEVER if for_good else max(lease_left, 0.0) + OTHERS_FIRST_SECONDS
        self._until.pop(job_id, None)
        self._until[job_id] = self._clock() + wait
        while len(self._until) > MAX_REMEMBERED:
            self._until.pop(next(iter(self._until)))

    def __contains__(self, job_id: str) -> bool:
        """Whether a job is not to be bid on for now."""
        return self._until.get(job_id, 0.0) > self._clock()
