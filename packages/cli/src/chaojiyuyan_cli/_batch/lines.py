"""Read an input file line by line, so that the memory does not grow with the file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_LINE = 16 * 1024 * 1024
"""Maximum length of a line in bytes."""

_CHUNK = 1024 * 1024  # bytes


@dataclass(frozen=True)
class Line:
    """A line of the input file.

    Args:
        number: The number of the line, counted from 1.
        payload: The input on the line, or None when the line is invalid.
        problem: Why the line is invalid; empty when it is valid.
    """

    number: int
    payload: dict[str, object] | None
    problem: str = ""


def count_lines(path: Path) -> int:
    """Return the number of lines of a file; text after the last newline counts as a line.

    Args:
        path: The file.

    Raises:
        OSError: The file cannot be read.
    """
    count, last = 0, b"\n"
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            count += chunk.count(b"\n")
            last = chunk[-1:]
    return count + (last != b"\n")


def read_lines(file: IO[bytes]) -> Iterator[Line]:
    """Read every line of a file.

    Args:
        file: The file, positioned at its start.

    Raises:
        OSError: The file cannot be read.
    """
    number = 0
    while data := file.readline(MAX_LINE):
        number += 1
        if len(data) < MAX_LINE or data.endswith(b"\n"):
            yield parse_line(number, data)
            continue
        yield Line(number, None, f"the line is longer than {MAX_LINE} bytes")
        while data and not data.endswith(b"\n"):
            data = file.readline(MAX_LINE)


def parse_line(number: int, data: bytes) -> Line:
    """Read the input from a line.

    Args:
        number: The number of the line.
        data: The bytes of the line.

    Returns:
        The line, with its input or with the reason why it is invalid.
    """
    try:
        text = data.decode("utf-8-sig" if number == 1 else "utf-8")
        payload = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Line(number, None, f"the line is not valid JSON: {error}")
    if not isinstance(payload, dict):
        return Line(number, None, "the line is not a JSON object")
    return Line(number, payload)
