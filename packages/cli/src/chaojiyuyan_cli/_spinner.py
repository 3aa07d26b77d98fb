"""Show progress as a line on standard error, only on a terminal."""

from __future__ import annotations

import itertools
import shutil
import sys
import threading
import time
from typing import TYPE_CHECKING

import click

from ._output import choose_symbol, cut, escape, is_terminal

if TYPE_CHECKING:
    from collections.abc import Callable

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_PLAIN_FRAMES = "|/-\\"
_INTERVAL = 0.1


class Spinner:
    """A context manager that redraws a line until it exits, and then removes the line.

    A separate thread draws, so that the shown time advances during a request.

    Args:
        describe: Called at every redraw with the elapsed seconds; returns the text.
    """

    def __init__(self, describe: Callable[[float], str]) -> None:
        self._describe = describe
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Spinner:
        if is_terminal(sys.stderr):
            self._thread = threading.Thread(target=self._draw, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _draw(self) -> None:
        frames = choose_symbol(_FRAMES, _PLAIN_FRAMES, sys.stderr)
        started = time.monotonic()
        for frame in itertools.cycle(frames):
            columns = shutil.get_terminal_size().columns - len("/ ") - 1
            text = cut(escape(self._describe(time.monotonic() - started)), columns)
            click.echo(f"\r{frame} {text}\x1b[K", nl=False, err=True, color=True)
            if self._over.wait(_INTERVAL):
                break
        click.echo("\r\x1b[K", nl=False, err=True, color=True)


def describe_duration(seconds: float) -> str:
    """Return a duration as text, such as ``7 s`` or ``2:05``.

    Args:
        seconds: The duration in seconds.
    """
    whole = int(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60}:{whole % 60:02}"
