"""Daemon threads that are used again and never keep a process alive."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .runtime import Queue, Runtime


class Threads:
    """Runs functions at once, each on a thread of its own; threads that are done wait for more.

    ``concurrent.futures.ThreadPoolExecutor`` would make the interpreter wait for a hanging one.

    :param name: what the threads are called.
    :param runtime: starts them.
    """

    def __init__(self, name: str, runtime: Runtime) -> None:
        self._runtime = runtime
        self._name = name
        self._work: Queue[Callable[[], object] | None] = runtime.queue()
        self._lock = runtime.lock()
        self._idle = 0
        self._started = 0

    def run(self, function: Callable[[], object]) -> None:
        """Start the function, which must not raise, and return."""
        with self._lock:
            if self._idle:
                self._idle -= 1
            else:
                self._runtime.start(self._serve, name=f"{self._name}-{self._started + 1}")
                self._started += 1
        self._work.put(function)

    def close(self) -> None:
        """Let the threads end, each when its function has."""
        with self._lock:
            for _ in range(self._started):
                self._work.put(None)
            self._started = self._idle = 0

    def _serve(self) -> None:
        while (function := self._work.get()) is not None:
            function()
            del function
            with self._lock:
                self._idle += 1
