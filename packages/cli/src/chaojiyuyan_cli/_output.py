"""Print JSON, fields and tables' cells, with the control characters of a server's text escaped."""

from __future__ import annotations

import codecs
import json
import math
import os
import sys
from typing import TYPE_CHECKING, TextIO

import click

from chaojiyuyan_core.text import escape_text

if TYPE_CHECKING:
    from collections.abc import Mapping

_JSON_ESCAPE = "chaojiyuyan.json"


def escape(value: object, *, keep: str = "") -> str:
    """Return a value as text that is safe on a terminal.

    Args:
        value: Any value. None gives an empty text.
        keep: Characters that are not escaped, such as a newline.
    """
    return "" if value is None else escape_text(str(value), keep=keep)


def echo_json(value: object, *, indent: int | None = 2) -> None:
    """Print one JSON value to standard output, without escapes for letters of any script.

    Args:
        value: A value that ``json.dumps`` accepts.
        indent: Number of spaces for each level; None prints one line.
    """
    click.echo(render_json(value, sys.stdout.encoding, indent=indent))


def render_json(value: object, encoding: str | None, *, indent: int | None = 2) -> str:
    """Return a value as JSON that is safe on a terminal and fits an encoding.

    Args:
        value: A value that ``json.dumps`` accepts.
        encoding: The encoding of the output. Characters that it lacks become JSON escapes.
        indent: Number of spaces for each level; None gives one line.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    except ValueError:  # a server may send NaN, which JSON does not have
        text = json.dumps(_drop_nan(value), ensure_ascii=False, indent=indent)
    text = escape_text(text, keep="\n")
    codec = encoding or "utf-8"
    try:
        return text.encode(codec, _JSON_ESCAPE).decode(codec)
    except LookupError:  # Python does not know the encoding
        return json.dumps(json.loads(text), indent=indent)


def echo_fields(fields: Mapping[str, object]) -> None:
    """Print one name and value per line, with aligned values.

    Args:
        fields: The values by name. A name whose value is None is left out.
    """
    shown = {name: value for name, value in fields.items() if value is not None}
    width = max(map(len, shown), default=0) + 1
    for name, value in shown.items():
        click.echo(f"{name + ':':<{width}}  {escape(value)}")


def cell_width(text: str) -> int:
    """Return the number of columns of a text on a terminal. A CJK character has two.

    Args:
        text: One line without control characters.
    """
    if text.isascii():
        return len(text)
    import wcwidth  # as slow to import as click, and few tables need it

    return max(wcwidth.wcswidth(text), 0)


def cut(text: str, width: int) -> str:
    """Return a text cut to a number of columns. A cut text ends with ``…``.

    Args:
        text: One line without control characters.
        width: Maximum number of columns.
    """
    if cell_width(text) <= width:
        return text
    text = text[: 4 * width]  # bounds the loop below, because a server may send a very long text
    while text and cell_width(text) > width - 1:
        text = text[:-1]
    return f"{text}…"


def choose_symbol(symbol: str, plain: str, stream: TextIO) -> str:
    """Return a symbol, or its plain form when the encoding of a stream lacks the symbol.

    Args:
        symbol: The symbol.
        plain: An ASCII text with the same meaning.
        stream: Standard output or standard error.
    """
    try:
        symbol.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return plain
    return symbol


def is_terminal(stream: TextIO) -> bool:
    """Return whether the stream is a terminal that can move its cursor.

    Args:
        stream: Standard output or standard error.
    """
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def use_color(stream: TextIO) -> bool:
    """Return whether to use colours: the stream is a terminal, and ``NO_COLOR`` is not set.

    Args:
        stream: Standard output or standard error.
    """
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def _escape_as_json(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error(_JSON_ESCAPE, _escape_as_json)


def _drop_nan(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _drop_nan(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_drop_nan(member) for member in value]
    return value
