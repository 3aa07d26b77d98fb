"""A runtime whose clock a test moves by hand; its threads are real."""

from __future__ import annotations

from chaojiyuyan_worker._run.runtime import Runtime


class HandClock(Runtime):
    """Threads of the standard library, and a clock that stands until ``now`` is set."""

    def __init__(self, now: float = 100.0) -> None:
        self.at = now

    def clock(self) -> float:
        return self.at
