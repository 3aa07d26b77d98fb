"""Read and write the results file, which gets a row for each input line when its job ends.

The next run can continue with the file, however the last run ended. When a line has several
rows, the last one is valid.
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
"""The status of a line whose job has not ended yet: the next run continues with the line."""

_OPEN, _FAILED, _DONE = 0, 1, 2
_CHUNK = 64 * 1024  # bytes


class Outcomes:
    """Keep the state of each line in one byte: done, failed or open.

    Args:
        lines: The number of lines of the input file.
    """

    def __init__(self, lines: int) -> None:
        self._states = bytearray(lines + 1)

    def note(self, row: Row) -> None:
        """Update the state of a line from a row.

        Args:
            row: A row of the results file.

        Raises:
            ValueError: The row is invalid, or the input file does not have its line.
        """
        number, status = row.get("line"), row.get("status")
        if type(number) is not int or not isinstance(status, str):
            raise ValueError("has a row without line and status")
        if not 1 <= number < len(self._states):
            raise ValueError(f"has a row for line {number}, which the input file does not have")
        known = {SUCCEEDED: _DONE, UNFINISHED: _OPEN}
        self._states[number] = known.get(status, _FAILED)

    def is_open(self, line: int, *, retry_failed: bool) -> bool:
        """Return whether the job of a line is still to be ordered.

        Args:
            line: The number of the line.
            retry_failed: Whether to order the jobs of failed lines again.
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
    """A results file that is locked for this process.

    Args:
        file: The locked file, open for reading and appending.
        outcomes: The state of each line according to the rows.
    """

    def __init__(self, file: IO[bytes], outcomes: Outcomes) -> None:
        self._file = file
        self.outcomes = outcomes

    def append(self, row: Row) -> None:
        """Write a row, so that it is kept when this process is killed.

        Args:
            row: The row.

        Raises:
            OSError: The row cannot be written.
        """
        # ASCII, because some characters of an output would end a line for other programs.
        self._file.write(json.dumps(row).encode() + b"\n")
        self._file.flush()
        self.outcomes.note(row)


@contextlib.contextmanager
def open_results(path: Path, lines: int) -> Iterator[ResultsFile]:
    """Open a results file, or create it, and read its rows.

    An incomplete last row, which a crash can leave, is removed.

    Args:
        path: The file.
        lines: The number of lines of the input file.

    Raises:
        UserError: Another run writes to the file, or it is not a results file.
        OSError: The file cannot be read or written.
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
                break  # a crash has left an incomplete row
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

    _PLACE = 2**62  # far after the last row, because Windows forbids reading locked bytes

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
        """Do nothing: closing the file releases the lock."""


def _lock(file: IO[bytes], path: Path) -> None:
    try:
        _try_lock(file)
    except OSError:
        raise UserError(
            f"Another run writes to {path}. Wait for it to finish, or stop it."
        ) from None
