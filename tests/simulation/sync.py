"""Locks, conditions, events and queues of simulated threads."""

from __future__ import annotations

from collections import deque
from queue import Empty
from typing import TYPE_CHECKING, Any

from .scheduler import FOREVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from .scheduler import Scheduler, SimThread


class SimLock:
    """A lock of simulated threads; also the lock of a condition.

    Args:
        scheduler: The scheduler of its threads.
        reentrant: Whether the thread that has the lock may take it again; if not, this is a
            deadlock.
    """

    def __init__(self, scheduler: Scheduler, *, reentrant: bool = False) -> None:
        self._scheduler = scheduler
        self._reentrant = reentrant
        self._owner: SimThread | None = None
        self._depth = 0
        self._waiting: deque[tuple[SimThread, int]] = deque()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock; see :meth:`threading.Lock.acquire`."""
        scheduler = self._scheduler
        me = scheduler.me()
        if self._owner is me:
            if not self._reentrant:
                scheduler.violate(f"{me.process.name}/{me.name} waits for a lock that it holds")
            self._depth += 1
            return True
        scheduler.maybe_switch()
        deadline = FOREVER if timeout < 0 else scheduler.now + timeout
        while self._owner is not None:
            if not blocking:
                return False
            self._waiting.append((me, me.token + 1))
            if scheduler.park(deadline) is None:
                return False
        self._owner, self._depth = me, 1
        return True

    def release(self) -> None:
        """Release the lock; the first waiting thread gets it."""
        if self._scheduler.current is not None and not self._scheduler.current.process.alive:
            return
        self._depth -= 1
        if self._depth == 0:
            self._owner = None
            self._wake_one()

    def locked(self) -> bool:
        """Return whether a thread has the lock."""
        return self._owner is not None

    def _wake_one(self) -> None:
        while self._waiting:
            thread, token = self._waiting.popleft()
            if self._scheduler.wake(thread, token, True):
                return

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def give_up(self) -> int:
        """Release the lock completely, and return how many times it was taken."""
        depth, self._depth = self._depth, 1
        self.release()
        return depth

    def take_back(self, depth: int) -> None:
        """Take the lock as many times as before."""
        self.acquire()
        self._depth = depth


class SimCondition:
    """A simulated :class:`threading.Condition`."""

    def __init__(self, scheduler: Scheduler, lock: SimLock | None = None) -> None:
        self._scheduler = scheduler
        self._lock = lock or SimLock(scheduler, reentrant=True)
        self._waiting: list[tuple[SimThread, int]] = []
        self.acquire = self._lock.acquire
        self.release = self._lock.release

    def __enter__(self) -> bool:
        return self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for a notification; False if the time passed first."""
        _check_timeout(timeout)
        scheduler = self._scheduler
        me = scheduler.me()
        depth = self._lock.give_up()
        entry = (me, me.token + 1)
        self._waiting.append(entry)
        woken = scheduler.park(FOREVER if timeout is None else scheduler.now + max(timeout, 0))
        if entry in self._waiting:
            self._waiting.remove(entry)
        self._lock.take_back(depth)
        return woken is not None

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        """Wait until a predicate holds or the time passes; return its last value."""
        deadline = FOREVER if timeout is None else self._scheduler.now + timeout
        while not (result := predicate()):
            left = deadline - self._scheduler.now
            if left <= 0:
                break
            self.wait(None if left == FOREVER else left)
        return result

    def notify(self, n: int = 1) -> None:
        """Wake up to n of the waiting threads, in random order."""
        woken = 0
        while self._waiting and woken < n:
            index = int(self._scheduler.random.random() * len(self._waiting))
            thread, token = self._waiting.pop(index)
            woken += self._scheduler.wake(thread, token, True)

    def notify_all(self) -> None:
        """Wake all threads that wait."""
        self.notify(len(self._waiting))


class SimEvent:
    """A simulated :class:`threading.Event`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._set = False
        self._waiting: list[tuple[SimThread, int]] = []

    def is_set(self) -> bool:
        """Return whether it is set."""
        return self._set

    def set(self) -> None:
        """Set it and wake all threads that wait for it."""
        self._set = True
        waiting, self._waiting = self._waiting, []
        for thread, token in waiting:
            self._scheduler.wake(thread, token, True)

    def clear(self) -> None:
        """Unset it."""
        self._set = False

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set; False if the time passed first."""
        _check_timeout(timeout)
        scheduler = self._scheduler
        me = scheduler.me()
        scheduler.maybe_switch()
        if not self._set:
            entry = (me, me.token + 1)
            self._waiting.append(entry)
            scheduler.park(FOREVER if timeout is None else scheduler.now + max(timeout, 0))
            if entry in self._waiting:
                self._waiting.remove(entry)
        return self._set


class SimQueue:
    """A simulated :class:`queue.SimpleQueue`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._items: deque[Any] = deque()
        self._condition = SimCondition(scheduler)

    def put(self, item: object, block: bool = True, timeout: float | None = None) -> None:
        """Add an item; it never waits."""
        with self._condition:
            self._items.append(item)
            self._condition.notify()

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take the first item, waiting for one.

        Raises:
            queue.Empty: None came in time.
        """
        with self._condition:
            if not block:
                timeout = 0
            self._condition.wait_for(lambda: self._items, timeout)
            if not self._items:
                raise Empty
            return self._items.popleft()

    def qsize(self) -> int:
        """Return the number of items."""
        return len(self._items)

    def empty(self) -> bool:
        """Return whether there is no item."""
        return not self._items


MAX_WAIT = 9_223_372_036.0
"""The longest wait of the standard library, in seconds (``threading.TIMEOUT_MAX``)."""


def _check_timeout(timeout: float | None) -> None:
    """Raise for a timeout that a real wait would refuse."""
    if timeout is not None and timeout > MAX_WAIT:
        raise OverflowError("timeout value is too large")
