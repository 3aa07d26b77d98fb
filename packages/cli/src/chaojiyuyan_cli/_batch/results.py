"""The results file: one row for each line that is done, appended as jobs end.

A run that ends in any way leaves a file that the next run goes on with. Of several rows for one
line, the last counts.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import IO, TYPE_CHECKING, Any

from chaojiyuyan_cli._errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Row = dict[str, Any]

SUCCEEDED = "succeeded"
"""The status of a line whose job succeeded."""

UNFINISHED = "unfinished"
"""The status of a line whose job nobody has seen end: the next run takes it up again."""

_OPEN, _FAILED, _DONE = 0, 1, 2
_CHUNK = 64 * 1024  # bytes


class Outcomes:
    """What is known of each line: done, failed or open. One byte a line.

    Args:
        lines: The number of lines of the input file.
    """

    def __init__(self, lines: int) -> None:
        self._states = bytearray(lines + 1)

    def note(self, row: Row) -> None:
        """Take over what a row says of its line.

        Args:
            row: A row of the results file.

        Raises:
            ValueError: The row is not one, or its line is not one of the input file.
        """
        number, status = row.get("line"), row.get("status")
        if type(number) is not int or not isinstance(status, str):
            raise ValueError("has a row without line and status")
        if not 1 <= number < len(self._states):
            raise ValueError(f"has a row for line {number}, which the input file does not have")
        known = {SUCCEEDED: _DONE, UNFINISHED: _OPEN}
        self._states[number] = known.get(status, _FAILED)

    def is_open(self, line: int, *, retry_failed: bool) -> bool:
        """Return whether a line is still to be ordered.

        Args:
            line: The number of the line.
            retry_failed: Whether a failed one is to be ordered again.
        """
        state = self._states[line]
        return state == _OPEN or (retry_failed and state == _FAILED)

    @property
    def succeeded(self) -> int:
        """The number of lines whose job succeeded."""
        return self._states.count(_DONE)

    @property
    def failed(self) -> int:
        """The number of lines that failed."""
        return self._states.count(_FAILED)


class ResultsFile:
    """A results file that this process alone writes to.

    Args:
        file: The file, open for reading and appending, and locked.
        outcomes: What its rows say.
    """

    def __init__(self, file: IO[bytes], outcomes: Outcomes) -> None:
        self._file = file
        self.outcomes = outcomes

    def append(self, row: Row) -> None:
        """Write a row, so that it survives the end of this process.

        Args:
            row: The row.

        Raises:
            OSError: It cannot be written.
        """
        # ASCII, so that no character of an output can end a line or be lost by an encoding.
        self._file.write(json.dumps(row).encode() + b"\n")
        self._file.flush()
        self.outcomes.note(row)


@contextlib.contextmanager
def open_results(path: Path, lines: int) -> Iterator[ResultsFile]:
    """Open a results file, make it if it does not exist, and read what it says.

    A last row that a crash has left incomplete is removed.

    Args:
        path: The file.
        lines: The number of lines of the input file.

    Raises:
        UserError: Another run writes to it, or it is not a results file.
        OSError: It cannot be read or written.
    """
    with path.open("a+b") as file:
        _lock(file, path)
        try:
            outcomes = _read(file, path, lines)
            yield ResultsFile(file, outcomes)
        finally:
            _unlock(file)


def _read(file: IO[bytes], path: Path, lines: int) -> Outcomes:
    outcomes = Outcomes(lines)
    end = 0  # of the last complete row
    file.seek(0)
    for data in file:
        try:
            row = json.loads(data)
            if not isinstance(row, dict):
                raise ValueError("has a line that is not a JSON object")
            outcomes.note(row)
        except (ValueError, RecursionError) as error:
            if not data.endswith(b"\n") and data.startswith(b'{"line": '):
                break  # torn by a crash
            reason = "has a line that is not JSON" if _is_syntax(error) else error
            raise UserError(f"{path} is not a results file of this input: it {reason}.") from None
        end += len(data)
        if not data.endswith(b"\n"):
            file.write(b"\n")
            end += 1
    file.truncate(end)
    file.seek(0, os.SEEK_END)
    return outcomes


def _is_syntax(error: Exception) -> bool:
    return isinstance(error, (json.JSONDecodeError, UnicodeDecodeError, RecursionError))


if sys.platform == "win32":
    import msvcrt

    _PLACE = 2**62  # far behind any row: Windows forbids to read what is locked

    def _try_lock(file: IO[bytes]) -> None:
        file.seek(_PLACE)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

    def _unlock(file: IO[bytes]) -> None:
        file.flush()
        file.seek(_PLACE)
        with contextlib.suppress(OSError):
            msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    try:
        import fcntl
    except ImportError:  # a platform without locks
        fcntl = None  # type: ignore[assignment]

    def _try_lock(file: IO[bytes]) -> None:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(file: IO[bytes]) -> None:
        """Leave the lock to the closing of the file."""


def _lock(file: IO[bytes], path: Path) -> None:
    try:
        _try_lock(file)
    except OSError:
        raise UserError(f"Another run writes to {path}. Wait for it, or end it.") from None
