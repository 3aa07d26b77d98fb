"""A runtime that a test steers: its waits end by notifications, and its time is set."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from .clocks import HandClock
from .replies import NOW
from .workers import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


class Steered(HandClock):
    """A clock set by the test. A wait ends by a notification, not by its timeout.

    ``schedule`` and ``pool`` are the conditions of the keeper, in the order in which it makes them.
    Heartbeats are not sent before ``free`` is set. The next reading of the clock sets it to
    ``later``. The next reading of the CPU time, for a late heartbeat, calls ``on_cpu_time``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conditions: list[Steps] = []
        self.threads: list[threading.Thread] = []
        self.cpu = 0.0
        self.on_cpu_time: Callable[[], object] | None = None
        self.later: float | None = None
        self.free = threading.Event()
        self.free.set()

    @property
    def schedule(self) -> Steps:
        return self.conditions[0]

    @property
    def pool(self) -> Steps:
        return self.conditions[1]

    @property
    def heartbeat_threads(self) -> int:
        return sum("heartbeat" in thread.name for thread in self.threads)

    def clock(self) -> float:
        at = self.at
        if self.later is not None:
            self.at, self.later = self.later, None
        return at

    def now(self) -> datetime:
        return NOW

    def condition(self, lock=None):
        self.conditions.append(Steps(self, lock))
        return self.conditions[-1]

    def start(self, target, *, name):
        if "heartbeat" in name:
            act, target = target, lambda: self.free.wait(10) and act()
        self.threads.append(super().start(target, name=name))
        return self.threads[-1]

    def random(self) -> float:
        return 0.0

    def cpu_time(self) -> float:
        act, self.on_cpu_time = self.on_cpu_time, None
        if act is not None:
            act()
        return self.cpu

    def go(self, at: float) -> None:
        """Set the time, and return when the keeper has done what was due."""
        with self.schedule:
            self.at = at
            threading.Condition.notify_all(self.schedule)
        until(lambda: self.schedule.seen == at)


class Steps(threading.Condition):
    """Records the timeouts of its waits, the time of the last one, and its notifications."""

    def __init__(self, clock: Steered, lock) -> None:
        super().__init__(lock)
        self._clock = clock
        self.timeouts: list[float | None] = []
        self.notified = 0
        self.seen = 0.0
        self.fails = False

    def __enter__(self) -> bool:
        if self.fails:
            self.fails = False
            raise MemoryError
        return super().__enter__()

    def wait(self, timeout: float | None = None) -> bool:
        self.timeouts.append(timeout)
        self.seen = self._clock.at
        return super().wait()

    def notify(self, n: int = 1) -> None:
        self.notified += 1
        super().notify(n)


def hold(keeper, job_id: str = "job-1", seconds: float = 29.0, **options):
    """Hold a lease that was awarded just now, and wait until the keeper sleeps."""
    lease = keeper.hold(job_id, keeper.clock(), seconds, **options)
    until(lambda: keeper.clock.__self__.schedule.seen)
    return lease


def never(seconds: float) -> None:
    raise AssertionError(f"waited {seconds} s")
