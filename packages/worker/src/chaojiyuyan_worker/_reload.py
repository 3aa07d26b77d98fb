"""``--reload``: run a worker in a child process, and restart it when its code changes.

This process only watches files. It never imports the worker's module. When the module cannot be
imported, it waits for the next change.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ._observe.logger import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import FrameType

    Changes = Iterable[object]

log = get_logger(__name__)

NOT_LOADED = 75
"""The exit code of a child process that could not import the worker (``EX_TEMPFAIL``)."""

TICK_MS = 200
"""Maximum milliseconds between two checks of the child process."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Reloader:
    """Runs a command, and restarts it after a change.

    Args:
        command: The command. SIGTERM makes it finish its running jobs.
        start: Starts a process.
    """

    def __init__(
        self,
        command: Sequence[str],
        start: Callable[[Sequence[str]], subprocess.Popen[bytes]] | None = None,
    ) -> None:
        self._command = command
        self._start = start or start_process
        self._process: subprocess.Popen[bytes] | None = None
        self._is_stale = False
        self._stop_signal: int | None = None

    def run(self, changes: Changes) -> int:
        """Run the command until it ends by itself or by a signal.

        Args:
            changes: Yields the changed files, or an empty set after a time without changes.

        Returns:
            The exit code of the last child process.
        """
        self._process = self._start(self._command)
        for changed in changes:
            if changed and self._stop_signal is None:
                self._note_change()
            code = self._look()
            if code is not None:
                return code
        return 0

    def handle_signal(self, signum: int, _frame: FrameType | None = None) -> None:
        """Pass a signal on to the child process. A second signal makes it stop at once.

        Args:
            signum: The signal.
        """
        is_first = self._stop_signal is None
        self._stop_signal = signum
        # A child that stops for a change already has its first signal. Another one would stop it
        # at once.
        if self._process is not None and not (is_first and self._is_stale):
            self._process.send_signal(signum)

    def _note_change(self) -> None:
        if self._process is None:
            self._process = self._start(self._command)
        elif not self._is_stale:
            log.info("code changed: finishing the running jobs, then restarting")
            self._is_stale = True
            self._process.terminate()

    def _look(self) -> int | None:
        """Handle the end of the child process. Return its exit code when the reloader must end."""
        if self._process is None:
            return 0 if self._stop_signal is not None else None
        code = self._process.poll()
        if code is None:
            return None
        code = 128 - code if code < 0 else code
        if self._stop_signal is not None:
            return code
        if self._is_stale:
            self._is_stale = False
            self._process = self._start(self._command)
        elif code == NOT_LOADED:
            log.info("waiting for the next change")
            self._process = None
        else:
            return code
        return None


def start_process(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a process without Ctrl-C from the terminal, because the reloader passes it on.

    Args:
        command: The command.
    """
    return subprocess.Popen(command, start_new_session=True)  # noqa: S603 - our own command line


def run_reloading(arguments: Sequence[str], directories: Sequence[str]) -> int:
    """Run ``python -m chaojiyuyan_worker``, and restart it after each change.

    Args:
        arguments: The arguments of the child process.
        directories: Folders in which to watch ``*.py``, besides the working directory.

    Returns:
        The exit code of the last child process.

    Raises:
        ModuleNotFoundError: watchfiles is not installed.
        FileNotFoundError: A directory does not exist.
    """
    from watchfiles import DefaultFilter, watch

    is_watched = DefaultFilter()
    command = [sys.executable, "-m", "chaojiyuyan_worker", "--reloaded", *arguments]
    reloader = Reloader(command)
    before = {signum: signal.signal(signum, reloader.handle_signal) for signum in _SIGNALS}
    log.info("watching *.py for changes")
    try:
        return reloader.run(
            watch(
                *(Path(name).resolve(strict=True) for name in (".", *directories)),
                watch_filter=lambda change, path: path.endswith(".py") and is_watched(change, path),
                rust_timeout=TICK_MS,
                yield_on_timeout=True,
            )
        )
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
