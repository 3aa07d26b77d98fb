"""A pool of daemon threads that grows only when its threads are blocked."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from chaojiyuyan_worker._observe.logger import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from .runtime import Runtime

log = get_logger(__name__)

EAGER_THREADS = 8
"""Number of threads that are started for work at once. More start only when these are blocked."""

STALL_SECONDS = 0.25
"""Seconds without a finished function after which more threads are started."""


class ThreadPool:
    """Runs functions on a few threads, and on more threads when these make no progress.

    Functions that wait for a slow server would delay the others, but functions that use the CPU
    gain nothing from more threads. ``concurrent.futures.ThreadPoolExecutor`` does not distinguish
    the two, and at exit the interpreter waits for its threads.

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
        """Run a function on a thread, without waiting for it.

        Args:
            function: The function. Its exceptions are logged.
        """
        with self._changed:
            if not self._waiting:
                self._progress = self._runtime.clock()
            self._waiting.append(function)
            if self._idle < len(self._waiting) and self._threads < EAGER_THREADS:
                self._start()
            self._changed.notify()

    def relieve(self) -> float | None:
        """Start more threads when the running threads make no progress.

        Returns:
            Seconds until the next call of this method, or None when no function waits.
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
        """End the threads when all functions have run, including the waiting ones."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _start(self) -> None:
        """Start a thread. The caller must hold the lock."""
        try:
            self._runtime.start(self._serve, name=f"{self._name}-{self._started + 1}")
        except Exception as error:  # noqa: BLE001 - it is retried after any error
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
        """Wait for a function, or return None when the thread must end."""
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
