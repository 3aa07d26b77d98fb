"""The servers in a JSON document, edited as text.

An entry is a member of an object that is itself a member of the root, such as
``mcpServers.chaojiyuyan``. Every character that is not part of it stays as it was: order,
indentation, escapes, numbers, duplicate keys, newlines. Adding an entry and removing it gives the
same text again.
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
    """The servers that are members of one member of the root.

    Args:
        place: The name of that member, such as ``mcpServers``.
    """

    place: str

    def entries(self, text: str) -> dict[str, Json]:
        """Return every entry by its name; an empty dict when the document has none.

        Args:
            text: The document. A blank one counts as ``{}``.

        Raises:
            ServersTextError: The text is not strict JSON (comments, trailing commas, NaN), its
                root or the member is not an object, or it is nested too deeply.
        """
        try:
            # Numbers are never written back, and int() refuses very long ones.
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
            text: The document. A blank one counts as ``{}``.
            name: The name of the entry. Of several members of this name the last one counts.
            entry: Its value.

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
        """Return the document without the entry, and without a container that held nothing else.

        Args:
            text: The document. A blank one counts as ``{}``.
            name: The name of the entry.

        Raises:
            ServersTextError: As in :meth:`entries`.
        """
        # Of duplicates the last one counts; once it is gone, the one before it would.
        while name in self.entries(text):
            document = _Document(text)
            holders = [member for member in document.root.members if member.key == self.place]
            entries = document.object_of(holders[-1])
            # An earlier duplicate of the container would count once the last one is gone.
            if len(entries.members) > 1 or len(holders) > 1:
                text = document.without_member(entries, entries[name])
            else:
                text = document.without_member(document.root, holders[-1])
        return text

    def render(self, name: str, entry: Json) -> str:
        """Return the lines of a document that has nothing but this entry.

        Args:
            name: The name of the entry.
            entry: Its value.
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
    separator: str  # is put before a first member
    closer: str  # is put between an only member and the "}"

    def last(self, key: str) -> _Member | None:
        return next((member for member in reversed(self.members) if member.key == key), None)

    def __getitem__(self, key: str) -> _Member:
        member = self.last(key)
        if member is None:
            raise KeyError(key)
        return member


class _Document:
    """The text of a document that is known to be valid, with a JSON object for its root.

    Indentation and newline style are read off the text in such a way that adding a member does
    not change what is read: that is what makes every edit reversible.
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
        """The object that is the member's value."""
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
        """The whitespace before the member on its line, None when it does not begin one."""
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
