"""Counts and durations of the jobs that ended in the last minutes, in memory, for the charts."""

import math
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

INTERVAL = 10.0
"""Seconds that one interval covers."""

INTERVALS = 90
"""How many intervals are kept: a quarter of an hour."""

_STEP = math.log(1.1)  # durations are counted in buckets that are 10 % wide


@dataclass(slots=True)
class Interval:
    """The jobs that ended in one interval.

    Attributes:
        number: The interval's number; it starts ``number * INTERVAL`` seconds after the epoch.
        outcomes: How many jobs ended with each status.
    """

    number: int
    outcomes: Counter[str] = field(default_factory=Counter)
    _times: Counter[int] = field(default_factory=Counter)

    def add(self, status: str, seconds: float) -> None:
        """Count a job that took ``seconds`` from its creation to its end."""
        self.outcomes[status] += 1
        if status == "succeeded":
            self._times[math.floor(math.log(max(seconds, 1e-4)) / _STEP)] += 1

    def percentile(self, share: float) -> float | None:
        """Return the time within which a share of the jobs succeeded, in seconds, accurate to 5 %.

        Args:
            share: The share, from 0 to 1: 0.95 for the 95th percentile.

        Returns:
            The time, or None if no job succeeded.
        """
        left = share * self._times.total()
        for step in sorted(self._times):
            left -= self._times[step]
            if left <= 0:
                return math.exp((step + 0.5) * _STEP)
        return None


class Activity:
    """The last ``INTERVALS`` intervals. Counting a job costs about a microsecond."""

    def __init__(self) -> None:
        self._intervals: deque[Interval] = deque(maxlen=INTERVALS)

    def add(self, status: str, created_at: float, completed_at: float) -> None:
        """Count a job that ended. Jobs are added in nearly the order in which they ended."""
        number = math.floor(completed_at / INTERVAL)
        if not self._intervals or self._intervals[-1].number < number:
            self._intervals.append(Interval(number))
        for interval in reversed(self._intervals):
            if interval.number <= number:
                interval.add(status, completed_at - created_at)
                break

    def restore(self, ended: Iterable[tuple[str, float, float]]) -> None:
        """Count the jobs of a stored database: the arguments of ``add``, in any order."""
        for status, created_at, completed_at in sorted(ended, key=lambda job: job[2]):
            self.add(status, created_at, completed_at)

    def window(self, now: float) -> list[Interval]:
        """Return the last ``INTERVALS`` intervals, oldest first, including the empty ones."""
        known = {interval.number: interval for interval in self._intervals}
        last = math.floor(now / INTERVAL)
        numbers = range(last - INTERVALS + 1, last + 1)
        return [known.get(number) or Interval(number) for number in numbers]
