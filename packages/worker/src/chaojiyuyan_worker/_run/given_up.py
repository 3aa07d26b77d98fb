"""Remember the jobs that this worker has given up, and when it may bid on them again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

OTHERS_FIRST_SECONDS = 15.0
"""Seconds after the lease of a given-up job in which only other workers bid on it."""

MAX_REMEMBERED = 10_000
"""Maximum number of remembered jobs."""

NEVER = float("inf")


class GivenUp:
    """The given-up jobs of a worker, over all of its runs.

    Args:
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    def add(self, job_id: str, lease_left: float, *, for_good: bool) -> None:
        """Add a job.

        Args:
            job_id: The id of the job.
            lease_left: Seconds until its lease expires and other workers can bid on it.
            for_good: Whether this worker must never bid on it again.
        """
        wait = NEVER if for_good else max(lease_left, 0.0) + OTHERS_FIRST_SECONDS
        self._until.pop(job_id, None)
        self._until[job_id] = self._clock() + wait
        while len(self._until) > MAX_REMEMBERED:
            self._until.pop(next(iter(self._until)))

    def __contains__(self, job_id: str) -> bool:
        """Return whether the worker must not bid on a job now."""
        return self._until.get(job_id, 0.0) > self._clock()
