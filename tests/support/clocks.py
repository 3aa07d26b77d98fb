"""A runtime whose clock a test moves by hand; its threads are real."""

from __future__ import annotations

import threading

from chaojiyuyan_worker._run.runtime import Runtime


class HandClock(Runtime):
    """Threads of the standard library, and a clock that stands until ``at`` is set.

    ``waiting`` is how many threads wait for one of its conditions, ``slept`` what was slept.
    """

    def __init__(self, now: float = 100.0) -> None:
        self.at = now
        self.waiting = 0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds

    def condition(self, lock=None):
        return _Counted(self, lock)


class _Counted(threading.Condition):
    """Its lock is held while the number of those that wait changes."""

    def __init__(self, clock: HandClock, lock) -> None:
        super().__init__(lock)
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        self._clock.waiting += 1
        try:
            return super().wait(timeout)
        finally:
            self._clock.waiting -= 1
