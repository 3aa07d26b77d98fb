"""Handle SIGTERM and SIGINT: the first drains the worker, the second stops it at once."""

from __future__ import annotations

import os
import signal
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING

from chaojiyuyan_worker._observe.logger import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

    from .runtime import Queue, Runtime
    from .supervision import Supervisor

    _Handler = Callable[[int, FrameType | None], object] | int | signal.Handlers | None

log = get_logger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


_mask: ContextVar[set[int | signal.Signals] | None] = ContextVar("mask", default=None)
"""The signal mask of a forking thread. Each thread has its own context."""


class SignalWatch:
    """A context manager that handles SIGTERM and SIGINT. It does nothing outside the main thread.

    Args:
        runtime: Provides the queue of the signals.
        supervisor: Runs the thread that waits for signals.
        drain: Called on this thread at the first signal.
    """

    _current: SignalWatch | None = None

    def __init__(
        self, runtime: Runtime, supervisor: Supervisor, drain: Callable[[], object]
    ) -> None:
        self._runtime = runtime
        self._supervisor = supervisor
        self._drain = drain
        # A SimpleQueue is reentrant. Setting an Event in a signal handler could deadlock.
        self._arrived: Queue[int | None] = runtime.queue()
        self._before: dict[int, _Handler] = {}
        self._count = 0

    def __enter__(self) -> SignalWatch:
        if self._runtime.is_main_thread():
            self._supervisor.add("chaojiyuyan-signals", self._serve).ensure()
            SignalWatch._current = self
            for signum in _SIGNALS:
                self._before[signum] = signal.signal(signum, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._restore()
        self._arrived.put(None)

    @classmethod
    def block_for_fork(cls) -> None:
        """Block the signals, because a child would lose one before :meth:`restore_in_child`."""
        if cls._current is not None:
            _mask.set(signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS))

    @staticmethod
    def unblock_mask() -> None:
        """Restore the signal mask on the thread that has forked."""
        mask = _mask.get()
        if mask is not None:
            _mask.set(None)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    @classmethod
    def restore_in_child(cls) -> None:
        """Restore the signal handlers in a forked child, in which no worker runs."""
        if cls._current is not None:
            cls._current._restore()
        cls.unblock_mask()

    def _restore(self) -> None:
        SignalWatch._current = None
        for signum, handler in self._before.items():
            # None means that the handler was not set from Python and cannot be restored.
            signal.signal(signum, handler or signal.SIG_DFL)
        self._before.clear()

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        self._count += 1
        if self._count > 1:
            end_process(128 + signum)
        self._arrived.put(signum)

    def _serve(self) -> None:
        signum = self._arrived.get()
        if signum is not None:
            log.info("%s received: finishing the running jobs", signal.Signals(signum).name)
            self._drain()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=SignalWatch.block_for_fork,
        after_in_parent=SignalWatch.unblock_mask,
        after_in_child=SignalWatch.restore_in_child,
    )


def end_process(code: int) -> None:
    """Exit this process at once, and kill the child processes of executors."""
    multiprocessing = sys.modules.get("multiprocessing")
    if multiprocessing is not None:
        for child in multiprocessing.active_children():
            child.kill()
    os._exit(code)
