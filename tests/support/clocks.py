"""A runtime whose clock is set by the test; its threads are real."""

from __future__ import annotations

import threading

from chaojiyuyan_worker._run.runtime import Runtime


class HandClock(Runtime):
    """Threads of the standard library, and a clock that changes only when ``at`` is set.

    ``waiting`` is the number of threads that wait for a condition, ``slept`` the times slept.
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
    """A condition that changes the number of waiting threads under its lock."""

    def __init__(self, clock: HandClock, lock) -> None:
        super().__init__(lock)
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        self._clock.waiting += 1
        try:
            return super().wait(timeout)
        finally:
            self._clock.waiting -= 1
