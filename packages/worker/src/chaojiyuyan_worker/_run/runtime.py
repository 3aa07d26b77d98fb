"""Threads, locks, clocks, sleep and random numbers for a run.

The modules of a run use only a :class:`Runtime` and do not import ``threading``, ``time``,
``queue`` or ``random``. A simulator can therefore pass in another runtime and run the same code in
virtual time.
"""

from __future__ import annotations

import random
import threading
import time
from datetime import datetime, timezone
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from types import TracebackType

T = TypeVar("T")

MAX_MAIN_THREAD_WAIT = 0.5
"""Maximum seconds of one wait on the main thread, so that signals are handled soon."""


class Lock(Protocol):
    """A lock, as a part of ``threading.Lock``."""

    def __enter__(self) -> bool:
        """Acquire the lock."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        """Release the lock."""


class Condition(Protocol):
    """A condition on a lock, as a part of ``threading.Condition``."""

    def __enter__(self) -> bool:
        """Acquire the lock."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        """Release the lock."""

    def wait(self, timeout: float | None = None) -> bool:
        """Release the lock, wait for a notification, acquire the lock."""

    def notify(self, n: int = 1) -> None:
        """Wake up to ``n`` waiting threads."""

    def notify_all(self) -> None:
        """Wake every waiting thread."""


class Event(Protocol):
    """A flag to wait for, as a part of ``threading.Event``."""

    def is_set(self) -> bool:
        """Return whether the flag is set."""

    def set(self) -> None:
        """Set the flag."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the flag is set and return whether it is."""


class Queue(Protocol[T]):
    """An unbounded queue, as a part of ``queue.SimpleQueue``."""

    def put(self, item: T) -> None:
        """Add an item. It may be called from a signal handler."""

    def get(self) -> T:
        """Wait for an item and return it."""


class Thread(Protocol):
    """A started thread, as a part of ``threading.Thread``."""

    def is_alive(self) -> bool:
        """Return whether the thread still runs."""

    def join(self, timeout: float | None = None) -> None:
        """Wait until the thread has ended, at most ``timeout`` seconds."""


class Runtime:
    """The standard library's threads, locks and clocks."""

    def start(self, target: Callable[[], object], *, name: str) -> Thread:
        """Start a daemon thread.

        Args:
            target: The function of the thread.
            name: The name of the thread.

        Raises:
            RuntimeError: The system cannot start another thread.
        """
        thread = threading.Thread(target=target, name=name, daemon=True)
        thread.start()
        return thread

    def lock(self) -> Lock:
        """Return a new lock."""
        return threading.Lock()

    def condition(self, lock: Lock | None = None) -> Condition:
        """Return a new condition on a lock of this runtime, or on a new lock."""
        owned: Any = lock
        return threading.Condition(owned)

    def event(self) -> Event:
        """Return a new event that is not set."""
        return threading.Event()

    def queue(self) -> Queue[Any]:
        """Return a new queue."""
        return SimpleQueue()

    def clock(self) -> float:
        """Return the seconds of :func:`boot_clock`."""
        return _boot_clock()

    def now(self) -> datetime:
        """Return the local time in UTC. It may be wrong."""
        return datetime.now(timezone.utc)

    def cpu_time(self) -> float:
        """Return the CPU seconds that this process has used."""
        return time.process_time()

    def sleep(self, seconds: float) -> None:
        """Pause the calling thread."""
        time.sleep(seconds)

    def random(self) -> float:
        """Return a random number from 0 up to 1."""
        return random.random()  # noqa: S311 - only for jitter

    def is_main_thread(self) -> bool:
        """Return whether the calling thread is the main thread, which handles signals."""
        return threading.current_thread() is threading.main_thread()

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """Return a new asyncio event loop."""
        import asyncio

        return asyncio.new_event_loop()


def max_wait(runtime: Runtime) -> float | None:
    """Return the maximum seconds of one wait on the calling thread, or None for no limit.

    Python handles signals only on the main thread and only between waits. A signal that arrives
    just before a wait, or on another thread, does not interrupt the wait.

    Args:
        runtime: Knows the main thread.
    """
    return MAX_MAIN_THREAD_WAIT if runtime.is_main_thread() else None


def boot_clock() -> float:
    """Return monotonic seconds that include the time in which the machine was suspended."""
    return _boot_clock()


if hasattr(time, "CLOCK_BOOTTIME"):
    _boot_clock = partial(time.clock_gettime, time.CLOCK_BOOTTIME)
else:
    _boot_clock = partial(time.monotonic)
