"""The lines of an input file, one at a time, so that a file of any length takes flat memory."""

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
        number: Its number, counted from 1.
        payload: The input that it holds; None when it does not hold one.
        problem: Why it holds none; empty when it does.
    """

    number: int
    payload: dict[str, object] | None
    problem: str = ""


def count_lines(path: Path) -> int:
    """Return the number of lines of a file; text behind the last newline counts as one.

    Args:
        path: The file.

    Raises:
        OSError: It cannot be read.
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
        file: The file, at its start.

    Raises:
        OSError: It cannot be read.
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
    """Read the input that a line holds.

    Args:
        number: The number of the line.
        data: Its bytes.
    """
    try:
        text = data.decode("utf-8-sig" if number == 1 else "utf-8")
        payload = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Line(number, None, f"the line is not valid JSON: {error}")
    if not isinstance(payload, dict):
        return Line(number, None, "the line is not a JSON object")
    return Line(number, payload)
