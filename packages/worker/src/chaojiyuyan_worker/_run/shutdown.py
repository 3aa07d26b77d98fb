"""SIGTERM and SIGINT while a worker runs: the first one drains, the second one ends it."""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

    from .runtime import Queue, Runtime

    _Handler = Callable[[int, FrameType | None], object] | int | signal.Handlers | None

log = logging.getLogger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class SignalWatch:
    """Owns SIGTERM and SIGINT while it is entered, on the main thread; elsewhere it does nothing.

    :param runtime: gives the thread that waits for them.
    :param drain: called, on a thread of its own, with the first signal.
    """

    def __init__(self, runtime: Runtime, drain: Callable[[], object]) -> None:
        self._runtime = runtime
        self._drain = drain
        # Its put may interrupt itself; an Event set by a handler could wait for its own thread.
        self._arrived: Queue[int | None] = runtime.queue()
        self._before: dict[int, _Handler] = {}
        self._count = 0

    def __enter__(self) -> SignalWatch:
        if self._runtime.is_main_thread():
            self._runtime.start(self._serve, name="chaojiyuyan-signals")
            for signum in _SIGNALS:
                self._before[signum] = signal.signal(signum, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for signum, handler in self._before.items():
            # None is one that was not set from Python; there is no way to set it again.
            signal.signal(signum, handler or signal.SIG_DFL)
        self._before.clear()
        self._arrived.put(None)

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        self._count += 1
        if self._count > 1:
            end_process(128 + signum)
        self._arrived.put(signum)

    def _serve(self) -> None:
        signum = self._arrived.get()
        if signum is not None:
            log.info("%s: finishing what is in hand", signal.Signals(signum).name)
            self._drain()


def end_process(code: int) -> None:
    """End this process at once, with the children that an executor has started."""
    multiprocessing = sys.modules.get("multiprocessing")
    if multiprocessing is not None:
        for child in multiprocessing.active_children():
            child.kill()
    os._exit(code)
