"""A pool of daemon threads that grows only when it gets stuck."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from chaojiyuyan_worker._observe.logger import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from .runtime import Runtime

log = get_logger(__name__)

EAGER_THREADS = 8
"""Threads that are started as soon as there is work for them. More come when these are stuck."""

STALL_SECONDS = 0.25
"""Seconds without any finished function after which waiting ones get more threads."""


class ThreadPool:
    """Runs functions side by side on a few threads, on more when those make no progress.

    Functions that wait for a slow server would hold up the others; functions that only use the CPU
    gain nothing from more threads. ``concurrent.futures.ThreadPoolExecutor`` cannot tell the two
    apart, and makes the interpreter wait for threads that hang.

    Args:
        name: The name of the threads.
        runtime: Starts them.
    """

    def __init__(self, name: str, runtime: Runtime) -> None:
        self._name = name
        self._runtime = runtime
        self._changed = runtime.condition()
        self._waiting: deque[Callable[[], object]] = deque()
        self._threads = self._idle = self._started = 0
        self._progress = 0.0
        self._closed = False
        self.problem: str | None = None

    def run(self, function: Callable[[], object]) -> None:
        """Have a function run soon, and return.

        Args:
            function: What to run. What it raises is logged.
        """
        with self._changed:
            if not self._waiting:
                self._progress = self._runtime.clock()
            self._waiting.append(function)
            if self._idle < len(self._waiting) and self._threads < EAGER_THREADS:
                self._start()
            self._changed.notify()

    def relieve(self) -> float | None:
        """Start more threads if those that run make no progress.

        Returns:
            Seconds until this is to be called again; None when nothing waits.
        """
        with self._changed:
            if not self._waiting:
                return None
            if self._runtime.clock() - self._progress >= STALL_SECONDS:
                self._progress = self._runtime.clock()
                for _ in range(min(max(self._threads, 1), len(self._waiting))):
                    self._start()
            return STALL_SECONDS

    def close(self) -> None:
        """Let the threads end, each when its function has; what waits still runs."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _start(self) -> None:
        """Start a thread. The lock is held."""
        try:
            self._runtime.start(self._serve, name=f"{self._name}-{self._started + 1}")
        except Exception as error:  # noqa: BLE001 - it is tried again, whatever it is
            self.problem = f"{self._name} threads cannot be started: {error}"
            log.error("%s", self.problem)
            return
        self._started += 1
        self._threads += 1
        self.problem = None

    def _serve(self) -> None:
        while (function := self._next()) is not None:
            try:
                function()
            except BaseException:
                log.exception("a function of %s failed", self._name)
            del function
            with self._changed:
                self._progress = self._runtime.clock()

    def _next(self) -> Callable[[], object] | None:
        """Wait for a function; None ends the thread: enough others are idle, or the pool closed."""
        with self._changed:
            while not self._waiting:
                if self._closed or self._idle >= EAGER_THREADS:
                    self._threads -= 1
                    return None
                self._idle += 1
                self._changed.wait()
                self._idle -= 1
            function = self._waiting.popleft()
            if not self._waiting:
                self.problem = None
            return function
