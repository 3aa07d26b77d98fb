"""Edit the servers in a TOML document as text, so that comments and order stay.

An entry is a table, such as ``[mcp_servers.chaojiyuyan]``, with any tables below it. The edited
text is parsed again and compared with the expected value. An entry in another form (dotted keys,
an inline table) is therefore refused and never damaged.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .servers import ServersTextError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .servers import Json

_TOKEN = re.compile(
    r'''"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|\#[^\n]*|[\[\]{}]''',
    re.DOTALL,
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BRACKETS = {"[": 1, "{": 1, "]": -1, "}": -1}


@dataclass(frozen=True)
class TomlServers:
    """Edits the servers in one table of the document.

    Args:
        place: The name of this table, such as ``mcp_servers``.
    """

    place: str

    def entries(self, text: str) -> dict[str, Json]:
        """Return every entry by its name; an empty dict when the document has none.

        Args:
            text: The document.

        Raises:
            ServersTextError: The text is not TOML, `place` is not a table, or the nesting is too
                deep.
        """
        entries = _parse(text).get(self.place, {})
        if not isinstance(entries, dict):
            raise ServersTextError(f"has a {self.place!r} that is not a table")
        return entries

    def set_entry(self, text: str, name: str, entry: dict[str, Json]) -> str:
        """Return the document with the entry added at its end, or with its tables replaced.

        Args:
            text: The document.
            name: The name of the entry.
            entry: The value of the entry.

        Raises:
            ServersTextError: As in :meth:`entries`, or the entry has a form that cannot be edited.
        """
        wanted = {**self.entries(text), name: entry}
        newline = "\r\n" if "\r\n" in text else "\n"
        block = self.render(name, entry).replace("\n", newline)
        tables = self._tables(text, name)
        if tables:
            for table in reversed(tables[1:]):
                text = _cut(text, table)
            edited = text[: tables[0].start] + block.rstrip() + text[tables[0].end :]
        elif not text:
            edited = block
        else:
            edited = text + newline + block
        return self._check(text, edited, wanted)

    def remove_entry(self, text: str, name: str) -> str:
        """Return the document without the entry.

        Args:
            text: The document.
            name: The name of the entry.

        Raises:
            ServersTextError: As in :meth:`set_entry`.
        """
        wanted = self.entries(text)
        if name not in wanted:
            return text
        edited = text
        for table in reversed(self._tables(text, name)):
            edited = _cut(edited, table)
        return self._check(text, edited, {key: wanted[key] for key in wanted if key != name})

    def render(self, name: str, entry: Json) -> str:
        """Return the table of an entry.

        Args:
            name: The name of the entry.
            entry: The value of the entry.
        """
        header = f"[{_render_key(self.place)}.{_render_key(name)}]\n"
        if not isinstance(entry, dict):
            return header
        return header + "".join(
            f"{_render_key(key)} = {_render_value(value)}\n" for key, value in entry.items()
        )

    def _tables(self, text: str, name: str) -> list[_Table]:
        """Return the tables of an entry. Each ends after its last value."""
        return [table for table in _find_tables(text) if table.path[:2] == (self.place, name)]

    def _check(self, before: str, after: str, entries: dict[str, Json]) -> str:
        """Return the edited text if it has the expected entries and nothing else changed."""
        try:
            found = _parse(after)
        except ServersTextError:
            found = None
        expected = {**_parse(before), self.place: entries}
        if found is None or _comparable({self.place: {}, **found}) != _comparable(expected):
            raise ServersTextError(
                f"has this entry of {self.place!r} in a form that cannot be edited safely"
            )
        return after


@dataclass(frozen=True)
class _Table:
    path: tuple[str, ...]
    start: int  # of its header
    end: int  # after its last value, before the newline


def _find_tables(text: str) -> Iterator[_Table]:
    """Find the tables that have a header in a valid text."""
    header: tuple[tuple[str, ...], int] | None = None
    depth = position = end = 0
    for token in _TOKEN.finditer(text):
        value = text[position : token.start()].rstrip()
        end = position + len(value) if value.strip() else end
        position = token.end()
        if depth == 0 and token.group() == "[" and not _line_before(text, token.start()).strip():
            if header is not None:
                yield _Table(*header, end)
            header = (_read_path(text, token.start()), token.start())
        depth += _BRACKETS.get(token.group(), 0)
        if not token.group().startswith("#"):
            end = token.end()
    if header is not None:
        value = text[position:].rstrip()
        yield _Table(*header, position + len(value) if value.strip() else end)


def _line_before(text: str, position: int) -> str:
    return text[text.rfind("\n", 0, position) + 1 : position]


def _read_path(text: str, start: int) -> tuple[str, ...]:
    """Read the dotted name in a header by parsing only the header."""
    line = text[start:].partition("\n")[0].rstrip("\r")
    value: Any = _parse(line)
    path = []
    while isinstance(value, (dict, list)) and value:
        if isinstance(value, list):
            value = value[0]
            continue
        key, value = next(iter(value.items()))
        path.append(key)
    return tuple(path)


def _cut(text: str, table: _Table) -> str:
    """Remove a table, the newline after it, and the blank line before it."""
    above, below = text[: table.start], text[table.end :].partition("\n")[2]
    for newline in ("\r\n", "\n"):
        if above.endswith(newline):
            lines = above.removesuffix(newline)
            # `set_entry` adds one newline before the table: it ends an unfinished last line, or it
            # makes a blank line.
            return (lines if not lines or lines.endswith("\n") or not below else above) + below
    return above + below


def _parse(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ServersTextError(f"is not valid TOML: {error}") from None
    except RecursionError:
        raise ServersTextError("is nested too deeply to be edited") from None


def _comparable(document: dict[str, Any]) -> str:
    return json.dumps(document, sort_keys=True, default=repr)


def _render_key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _render_string(key)


def _render_value(value: Json) -> str:
    if isinstance(value, str):
        return _render_string(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_render_value, value))}]"
    if isinstance(value, dict):
        members = (f"{_render_key(key)} = {_render_value(member)}" for key, member in value.items())
        return f"{{ {', '.join(members)} }}" if value else "{}"
    if value is None:
        raise ServersTextError("has no way to say null")
    return json.dumps(value)


def _render_string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
