"""Print tables that fit the terminal. The first column is never cut, because users copy it."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import click

from ._output import cell_width, cut, escape, is_terminal, use_color

if TYPE_CHECKING:
    from collections.abc import Sequence

_GAP = "  "


def echo_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table. Columns are aligned by the width of characters on a terminal.

    The first column is never cut. When the table is too wide, the other columns are cut, the
    widest first, but never below the width of their headings. When the table is still too wide,
    columns are left out from the right.

    Args:
        headings: One heading for each column.
        rows: One value for each column in each row. Numbers are aligned right.
    """
    cells = [[escape(value) for value in row] for row in rows]
    right = [all(isinstance(row[i], int) for row in rows) for i in range(len(headings))]
    widths = [max(map(cell_width, column)) for column in zip(headings, *cells, strict=True)]
    limit = _find_width()
    if limit is not None:
        widths = _fit(widths, [cell_width(heading) for heading in headings], limit)
    click.secho(_render(headings, widths, right), bold=True, color=use_color(sys.stdout))
    for row in cells:
        click.echo(_render(row, widths, right))


def _find_width() -> int | None:
    """Return the maximum width of a line in columns, or None for a pipe or a file.

    The environment variable ``COLUMNS`` takes precedence.
    """
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    return shutil.get_terminal_size().columns if is_terminal(sys.stdout) else None


def _fit(widths: Sequence[int], minima: Sequence[int], limit: int) -> list[int]:
    """Return the widths of the columns that are shown; the first width never changes."""
    shown = [*widths]
    while len(shown) > 1 and _sum([shown[0], *minima[1 : len(shown)]]) > limit:
        shown.pop()
    excess = _sum(shown) - limit
    while excess > 0 and len(shown) > 1:
        widest = max(range(1, len(shown)), key=lambda i: shown[i] - minima[i])
        shown[widest] -= 1
        excess -= 1
    return shown


def _sum(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _render(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = []
    for text, width, flush_right in zip(cells, widths, right):  # noqa: B905  # fewer are shown
        shown = cut(text, width)
        blanks = " " * (width - cell_width(shown))
        padded.append(blanks + shown if flush_right else shown + blanks)
    return _GAP.join(padded).rstrip()
