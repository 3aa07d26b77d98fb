"""Edit the servers in a JSON document as text.

An entry is a member of an object that is itself a member of the root, such as
``mcpServers.chaojiyuyan``. The text around the entry stays the same: order, indentation, escapes,
numbers, duplicate keys and newlines. Adding an entry and then removing it restores the text.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from .servers import ServersTextError

if TYPE_CHECKING:
    from .servers import Json

_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
_STRING_OR_BRACKET = re.compile(rf"{_STRING.pattern}|[\[\]{{}}]")
_SCALAR = re.compile(r"[^\s,\]}]+")
_SPACE = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True)
class JsonServers:
    """Edits the servers in one member of the root object.

    Args:
        place: The name of this member, such as ``mcpServers``.
    """

    place: str

    def entries(self, text: str) -> dict[str, Json]:
        """Return every entry by its name; an empty dict when the document has none.

        Args:
            text: The document. A blank document counts as ``{}``.

        Raises:
            ServersTextError: The text is not strict JSON (for example it has comments, trailing
                commas or NaN), the root or the member is not an object, or the nesting is too
                deep.
        """
        try:
            # float, because int() refuses very long numbers; parsed numbers are never written back.
            root = json.loads(
                text if text.strip() else "{}", parse_constant=_refuse_constant, parse_int=float
            )
        except json.JSONDecodeError as error:
            raise ServersTextError(f"is not valid JSON: {error}") from None
        except RecursionError:
            raise ServersTextError("is nested too deeply to be edited") from None
        if not isinstance(root, dict):
            raise ServersTextError("is not a JSON object")
        entries = root.get(self.place, {})
        if not isinstance(entries, dict):
            raise ServersTextError(f"has a {self.place!r} that is not an object")
        return entries

    def set_entry(self, text: str, name: str, entry: dict[str, Json]) -> str:
        """Return the document with the entry added, or with its value replaced.

        Args:
            text: The document. A blank document counts as ``{}``.
            name: The name of the entry. When several members have this name, the last one is
                replaced.
            entry: The value of the entry.

        Raises:
            ServersTextError: As in :meth:`entries`.
        """
        self.entries(text)
        document = _Document(text if text.strip() else "{}\n")
        holder = document.root.last(self.place)
        if holder is None:
            return document.with_member(document.root, self.place, {name: entry})
        entries = document.object_of(holder)
        member = entries.last(name)
        if member is None:
            return document.with_member(entries, name, entry)
        return document.with_value(member, entry)

    def remove_entry(self, text: str, name: str) -> str:
        """Return the document without the entry, and without a container that is then empty.

        Args:
            text: The document. A blank document counts as ``{}``.
            name: The name of the entry.

        Raises:
            ServersTextError: As in :meth:`entries`.
        """
        # JSON parsers read the last of duplicate names. After its removal they would read the
        # one before it, so all of them are removed.
        while name in self.entries(text):
            document = _Document(text)
            holders = [member for member in document.root.members if member.key == self.place]
            entries = document.object_of(holders[-1])
            # When the container has a duplicate, it stays: without it, parsers would read the
            # duplicate.
            if len(entries.members) > 1 or len(holders) > 1:
                text = document.without_member(entries, entries[name])
            else:
                text = document.without_member(document.root, holders[-1])
        return text

    def render(self, name: str, entry: Json) -> str:
        """Return a document with only this entry.

        Args:
            name: The name of the entry.
            entry: The value of the entry.
        """
        return json.dumps({self.place: {name: entry}}, ensure_ascii=False, indent=2) + "\n"


def _refuse_constant(constant: str) -> NoReturn:
    raise ServersTextError(f"is not valid JSON: {constant} is not a JSON value")


@dataclass(frozen=True)
class _Member:
    key: str
    key_start: int
    value_start: int
    value_end: int


@dataclass(frozen=True)
class _Object:
    """The place of an object in the text, and the layout of its members."""

    start: int  # of its "{"
    end: int  # of its "}"
    members: list[_Member]
    separator: str  # goes before the first member
    closer: str  # goes between a single member and the "}"

    def last(self, key: str) -> _Member | None:
        return next((member for member in reversed(self.members) if member.key == key), None)

    def __getitem__(self, key: str) -> _Member:
        member = self.last(key)
        if member is None:
            raise KeyError(key)
        return member


class _Document:
    """The text of a valid document whose root is a JSON object.

    Indentation and newline style are taken from the text. Adding a member does not change the
    detected style, so every edit can be reversed.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        end = text.find("\n")
        self._newline = "\r\n" if end > 0 and text[end - 1] == "\r" else "\n"
        start = self._after(_SPACE, 0)
        first = self._members(start)[0][:1]
        indent = self._indent_of(first[0]) if first else None
        self._unit = "  " if indent is None else indent
        self.root = self._object(start, own_indent="")

    def object_of(self, member: _Member) -> _Object:
        """Return the object that is the member's value."""
        return self._object(member.value_start, self._indent_of(member))

    def with_member(self, into: _Object, key: str, value: Json) -> str:
        if into.members:
            at = into.members[-1].value_end
            indent = self._indent_of(into.members[-1])
            before, after = ", " if indent is None else f",{self._newline}{indent}", ""
        else:
            at = into.start + 1
            indent = into.separator.removeprefix(self._newline) if into.separator else None
            before, after = into.separator, into.closer
        name = json.dumps(key, ensure_ascii=False)
        member = f"{before}{name}: {self._render(value, indent)}{after}"
        return self._text[:at] + member + self._text[at:]

    def with_value(self, member: _Member, value: Json) -> str:
        rendered = self._render(value, self._indent_of(member))
        return self._text[: member.value_start] + rendered + self._text[member.value_end :]

    def without_member(self, holder: _Object, member: _Member) -> str:
        text, members = self._text, holder.members
        if len(members) == 1:
            rest = text[member.value_end : holder.end].removeprefix(holder.closer)
            return text[: holder.start + 1] + rest + text[holder.end :]
        position = members.index(member)
        if position == len(members) - 1:
            return text[: members[position - 1].value_end] + text[member.value_end :]
        return text[: member.key_start] + text[members[position + 1].key_start :]

    def _render(self, value: Json, indent: str | None) -> str:
        if indent is None:
            return json.dumps(value, ensure_ascii=False)
        lines = json.dumps(value, ensure_ascii=False, indent=self._unit)
        return lines.replace("\n", self._newline + indent)

    def _indent_of(self, member: _Member) -> str | None:
        """Return the whitespace before a member, or None when it is not the first on its line."""
        before = self._text[: member.key_start]
        space = before[len(before.rstrip(" \t\n\r")) :]
        lines = re.split(r"[\n\r]", space)
        return lines[-1] if len(lines) > 1 else None

    def _object(self, start: int, own_indent: str | None) -> _Object:
        members, end = self._members(start)
        if own_indent is None:
            return _Object(start, end, members, separator="", closer="")
        closer = self._newline + own_indent
        return _Object(start, end, members, separator=closer + self._unit, closer=closer)

    def _members(self, start: int) -> tuple[list[_Member], int]:
        members = []
        position = self._after(_SPACE, start + 1)
        while self._text[position] != "}":
            key_end = self._after(_STRING, position)
            key = json.loads(self._text[position:key_end])
            value_start = self._after(_SPACE, self._after(_SPACE, key_end) + len(":"))
            value_end = self._value_end(value_start)
            members.append(_Member(key, position, value_start, value_end))
            position = self._after(_SPACE, value_end)
            if self._text[position] == ",":
                position = self._after(_SPACE, position + 1)
        return members, position

    def _value_end(self, start: int) -> int:
        if self._text[start] not in "[{":
            return self._after(_STRING if self._text[start] == '"' else _SCALAR, start)
        depth = 0
        for token in _STRING_OR_BRACKET.finditer(self._text, start):
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token.group(), 0)
            if depth == 0:
                return token.end()
        raise ServersTextError("is not valid JSON")

    def _after(self, pattern: re.Pattern[str], position: int) -> int:
        match = pattern.match(self._text, position)
        if match is None:
            raise ServersTextError("is not valid JSON")
        return match.end()
