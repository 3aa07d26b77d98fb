"""What a user sees: JSON, fields, and text from a server with its control characters escaped."""

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
        value: Anything; None gives an empty text.
        keep: Characters to leave as they are, such as a newline.
    """
    return "" if value is None else escape_text(str(value), keep=keep)


def echo_json(value: object, *, indent: int | None = 2) -> None:
    """Print one JSON value to standard output, readable for people of any script.

    Args:
        value: What ``json.dumps`` takes.
        indent: Columns of each level; None prints one line.
    """
    click.echo(render_json(value, sys.stdout.encoding, indent=indent))


def render_json(value: object, encoding: str | None, *, indent: int | None = 2) -> str:
    """Return a value as JSON that a terminal may receive and an encoding can write.

    Args:
        value: What ``json.dumps`` takes.
        encoding: The encoding of the output; what it lacks is escaped as JSON does.
        indent: Columns of each level; None gives one line.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    except ValueError:  # a server that sends NaN: JSON has no such number
        text = json.dumps(_drop_nan(value), ensure_ascii=False, indent=indent)
    text = escape_text(text, keep="\n")
    codec = encoding or "utf-8"
    try:
        return text.encode(codec, _JSON_ESCAPE).decode(codec)
    except LookupError:  # no codec of this name in Python
        return json.dumps(json.loads(text), indent=indent)


def echo_fields(fields: Mapping[str, object]) -> None:
    """Print names and values below each other, the values aligned.

    Args:
        fields: The values by name; None leaves a name out.
    """
    shown = {name: value for name, value in fields.items() if value is not None}
    width = max(map(len, shown), default=0) + 1
    for name, value in shown.items():
        click.echo(f"{name + ':':<{width}}  {escape(value)}")


def cell_width(text: str) -> int:
    """Return how many columns a text takes up on a terminal: two for a CJK character.

    Args:
        text: One line without control characters.
    """
    if text.isascii():
        return len(text)
    import wcwidth  # costs as much as click does; few tables need it

    return max(wcwidth.wcswidth(text), 0)


def cut(text: str, width: int) -> str:
    """Return a text cut to a number of columns, with ``…`` at its end when it was longer.

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


def choose_symbol(symbol: str, plain: str, stream: TextIO) -> str:
    """Return a symbol, or a plain form of it when the encoding of a stream lacks it.

    Args:
        symbol: The symbol.
        plain: ASCII that means the same.
        stream: Standard output or standard error.
    """
    try:
        symbol.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return plain
    return symbol


def is_terminal(stream: TextIO) -> bool:
    """Return whether a person looks at the stream, and it can move its cursor.

    Args:
        stream: Standard output or standard error.
    """
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def use_color(stream: TextIO) -> bool:
    """Return whether the stream takes colours: a terminal, and ``NO_COLOR`` is not set.

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
