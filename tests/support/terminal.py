"""A pseudo-terminal for a process."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING

import psutil

from .command_line import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path


class Terminal:
    """A process on its own pseudo-terminal, and the terminal's output."""

    # The terminal becomes the process's controlling one, so that Ctrl-C reaches it.
    _SHIM = (
        "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )

    def __init__(self, command: list[str], env: dict[str, str], cwd: Path, columns: int) -> None:
        self._ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-c", self._SHIM, *command],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={"TERM": "xterm-256color", **env},
            cwd=cwd,
            start_new_session=True,
        )
        os.close(theirs)
        self.text = ""

    def expect(self, pattern: str) -> re.Match[str]:
        """Read until the output matches the pattern."""
        deadline = time.monotonic() + PATIENCE
        while (found := re.search(pattern, self.text)) is None:
            assert self._read(deadline), f"{pattern!r} never came; got {self.text!r}"
        return found

    def send(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def interrupt_prompt(self) -> None:
        """Press Ctrl-C once the process sleeps in its read.

        If it arrived just before the read, CPython would handle it only after the next key.
        """
        deadline = time.monotonic() + PATIENCE
        while psutil.Process(self.process.pid).status() != psutil.STATUS_SLEEPING:
            assert time.monotonic() < deadline, "it never waited for a line"
        self.send("\x03")

    def end(self) -> int:
        """Read to the end, and return the exit code."""
        deadline = time.monotonic() + PATIENCE
        while self._read(deadline):
            pass
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], max(deadline - time.monotonic(), 0))
        try:
            data = os.read(self._ours, 65536) if ready else b""
        except OSError:  # Linux's end of file
            data = b""
        self.text += data.decode(errors="replace")
        return bool(data)
