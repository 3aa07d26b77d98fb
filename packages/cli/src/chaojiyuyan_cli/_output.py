"""What a user sees: JSON, tables, and text from a server with its control characters escaped."""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import TYPE_CHECKING, TextIO

import click

from chaojiyuyan_core.text import escape_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def escape(value: object, *, keep: str = "") -> str:
    """Return a value as text that is safe on a terminal.

    Args:
        value: Anything; None gives an empty text.
        keep: Characters to leave as they are, such as a newline.
    """
    return "" if value is None else escape_text(str(value), keep=keep)


def echo_json(value: object) -> None:
    """Print one JSON value to standard output, readable for people of any script.

    Args:
        value: What ``json.dumps`` takes.
    """
    click.echo(escape(json.dumps(value, ensure_ascii=False, indent=2), keep="\n"))


def echo_fields(fields: Mapping[str, object]) -> None:
    """Print names and values below each other, the values aligned.

    Args:
        fields: The values by name; those that are None are left out.
    """
    shown = {name: value for name, value in fields.items() if value is not None}
    width = max(map(len, shown), default=0) + 1
    for name, value in shown.items():
        click.echo(f"{name + ':':<{width}}  {escape(value)}")


def echo_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table whose columns are aligned by what characters take up on a terminal.

    On a terminal the widest column is cut until the table fits it; elsewhere nothing is cut.

    Args:
        headings: A heading for each column.
        rows: A value for each column; numbers are set flush right.
    """
    cells = [[escape(value) for value in row] for row in rows]
    right = [all(isinstance(row[i], int) for row in rows) for i in range(len(headings))]
    widths = [max(map(cell_width, column)) for column in zip(headings, *cells, strict=True)]
    if is_terminal(sys.stdout):
        _fit(widths, [cell_width(heading) for heading in headings])
    click.secho(_line(headings, widths, right), bold=True, color=use_color(sys.stdout))
    for row in cells:
        click.echo(_line(row, widths, right))


def cell_width(text: str) -> int:
    """Return how many columns a text takes up on a terminal: two for a CJK character.

    Args:
        text: One line without control characters.
    """
    if text.isascii():
        return len(text)
    import wcwidth  # costs as much as click does; few tables need it

    return max(wcwidth.wcswidth(text), 0)


def is_terminal(stream: TextIO) -> bool:
    """Whether a person looks at the stream, and it can move its cursor.

    Args:
        stream: Standard output or standard error.
    """
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def use_color(stream: TextIO) -> bool:
    """Whether the stream takes colours: a terminal, and the user has not set ``NO_COLOR``.

    Args:
        stream: Standard output or standard error.
    """
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def _fit(widths: list[int], minima: list[int]) -> None:
    """Narrow the widest column, again and again, until the line fits the terminal."""
    excess = sum(widths) + 2 * (len(widths) - 1) - shutil.get_terminal_size().columns
    while excess > 0:
        widest = max(range(len(widths)), key=lambda i: widths[i] - minima[i])
        if widths[widest] <= minima[widest]:
            return
        widths[widest] -= 1
        excess -= 1


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = []
    for text, width, flush_right in zip(cells, widths, right, strict=True):
        shown = cut(text, width)
        blanks = " " * (width - cell_width(shown))
        padded.append(blanks + shown if flush_right else shown + blanks)
    return "  ".join(padded).rstrip()


def cut(text: str, width: int) -> str:
    """Return a text cut to what fits so many columns, a ``…`` at its end where it was longer.

    Args:
        text: One line without control characters.
        width: Columns.
    """
    if cell_width(text) <= width:
        return text
    text = text[: 4 * width]  # from here on each character is tried, and a server may send any text
    while text and cell_width(text) > width - 1:
        text = text[:-1]
    return f"{text}…"
