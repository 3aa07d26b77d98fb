"""SIGTERM and SIGINT while a worker runs: the first one drains, the second one ends it."""

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
"""The signal mask of a thread that is forking; each thread has a context of its own."""


class SignalWatch:
    """Owns SIGTERM and SIGINT while it is entered, on the main thread; elsewhere it does nothing.

    Args:
        runtime: Gives the queue of the signals.
        supervisor: Runs the thread that waits for them.
        drain: Called on that thread with the first signal.
    """

    _current: SignalWatch | None = None

    def __init__(
        self, runtime: Runtime, supervisor: Supervisor, drain: Callable[[], object]
    ) -> None:
        self._runtime = runtime
        self._supervisor = supervisor
        self._drain = drain
        # Its put may interrupt itself; an Event set by a handler could wait for its own thread.
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
        """Hold the signals back: a child that gets one before :meth:`restore_in_child` loses it."""
        if cls._current is not None:
            _mask.set(signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS))

    @staticmethod
    def unblock_mask() -> None:
        """Let the signals through again on the thread that has forked."""
        mask = _mask.get()
        if mask is not None:
            _mask.set(None)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    @classmethod
    def restore_in_child(cls) -> None:
        """Give the signals back in a process that a handler has forked: no worker runs there."""
        if cls._current is not None:
            cls._current._restore()
        cls.unblock_mask()

    def _restore(self) -> None:
        SignalWatch._current = None
        for signum, handler in self._before.items():
            # None is one that was not set from Python; there is no way to set it again.
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
    """End this process at once, with the children that an executor has started."""
    multiprocessing = sys.modules.get("multiprocessing")
    if multiprocessing is not None:
        for child in multiprocessing.active_children():
            child.kill()
    os._exit(code)
