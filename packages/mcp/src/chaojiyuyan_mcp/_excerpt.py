"""Cut values to a size that a model can read, and record each cut.

A cut is described by a JSON Pointer (RFC 6901) and by the offset at which the rest begins. The
offset counts the characters of a text, the items of a list, or the members of an object.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, cast

from chaojiyuyan_core.redaction import mask_keys
from chaojiyuyan_core.text import strip_invisible

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

MAX_CHARS = 40_000
"""Maximum characters of JSON in a result. Some clients write a longer result to a file."""

MAX_DEPTH = 64
"""Maximum levels of nesting in a result. Deeper levels are left out."""

_MAX_KEY_CHARS = 1_000
"""Maximum characters of an agent key in any encoding."""

_MIN_SHARE = 200
"""Minimum characters for each shown member, because fewer would be useless."""


class Cut(TypedDict):
    """A place where a part of the value was left out."""

    pointer: str
    next_offset: int
    total: int


@dataclass
class Excerpt:
    """Cuts a value and records the cuts.

    Attributes:
        max_chars: Approximate maximum characters of JSON to keep.
        cuts: The places where parts were left out.
    """

    max_chars: int = MAX_CHARS
    cuts: list[Cut] = field(default_factory=list)

    def of(self, value: T, pointer: str = "", offset: int = 0) -> T:
        """Return as much of a value as fits.

        Args:
            value: The value.
            pointer: The JSON Pointer of the value in the whole.
            offset: The number of characters, items or members to skip.
        """
        return cast("T", self._cut(value, pointer, self.max_chars, MAX_DEPTH - 1, offset))

    def rows(self, rows: list[T], pointer: str, max_row_chars: int) -> list[T]:
        """Return a list whose rows are each cut, so that one long row cannot displace the others.

        Args:
            rows: The rows.
            pointer: The JSON Pointer of the list in the whole.
            max_row_chars: Maximum characters of JSON to keep of each row.
        """
        shown = []
        for number, row in enumerate(rows):
            excerpt = Excerpt(max_row_chars)
            shown.append(excerpt.of(row, f"{pointer}/{number}"))
            self.cuts += excerpt.cuts
        return shown

    def _cut(self, value: object, pointer: str, room: int, levels: int, offset: int = 0) -> object:
        if isinstance(value, str):
            end = offset + room
            if _divides_key(value, offset) or _divides_key(value, end):
                value = mask_keys(value)
            if end < len(value):
                self.cuts.append({"pointer": pointer, "next_offset": end, "total": len(value)})
            return value[offset:end]
        if not isinstance(value, (dict, list)):
            return value
        if not offset and _size(value) <= room and is_flatter(value, levels):
            return value
        whole = value.items() if isinstance(value, dict) else enumerate(value)
        members = list(whole)[offset:]
        sizes = [_size(member) + len(str(name)) for name, member in members]
        shares = _even if isinstance(value, dict) else _leading
        rooms = shares(sizes, room) if levels > 0 else []
        end = offset + len(rooms)
        if end < len(value):
            self.cuts.append({"pointer": pointer, "next_offset": end, "total": len(value)})
        kept = {
            name: self._cut(member, f"{pointer}/{_escape(name)}", share, levels - 1)
            for (name, member), share in zip(members, rooms, strict=False)
        }
        return kept if isinstance(value, dict) else list(kept.values())


def leading(rows: Sequence[T], max_chars: int = MAX_CHARS) -> list[T]:
    """Return the first rows that fit completely, and at least one row.

    Args:
        rows: The rows.
        max_chars: Maximum characters of JSON to keep.
    """
    return list(rows[: len(_leading([_size(row) for row in rows], max_chars))])


def part(whole: object, pointer: str) -> object:
    """Return the value at a JSON Pointer (RFC 6901).

    A name matches with or without its invisible characters, because results do not show them.

    Args:
        whole: The value that contains the part.
        pointer: The pointer.

    Raises:
        ValueError: The pointer is invalid, or there is no value at the pointer.
    """
    value: Any = whole
    if pointer and not pointer.startswith("/"):
        raise ValueError(f"pointer {pointer!r} does not begin with /")
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            found = [each for each in value if name in (each, strip_invisible(each))]
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            found = [int(name)]
        else:
            found = []
        if not found:
            raise ValueError(f"pointer {pointer!r} finds nothing at {name!r}")
        value = value[name if name in found else found[0]]
    return value


def _divides_key(text: str, place: int) -> bool:
    """Return whether a cut may divide an agent key, whose parts the redaction would not find."""
    if not 0 < place < len(text):
        return False
    around = text[max(0, place - _MAX_KEY_CHARS) : place + _MAX_KEY_CHARS]
    return mask_keys(around) != around


def _escape(name: object) -> str:
    return str(name).replace("~", "~0").replace("/", "~1")


def _size(value: object) -> float:
    try:
        return len(json.dumps(value, ensure_ascii=False))
    except RecursionError:
        return float("inf")


def is_flatter(value: object, levels: int) -> bool:
    """Return whether the nesting of a value is within a limit.

    Args:
        value: The value.
        levels: Maximum levels of lists and objects.
    """
    layer = [value]
    for _ in range(levels + 1):
        containers = [member for member in layer if isinstance(member, (dict, list))]
        if not containers:
            return True
        layer = [
            inner
            for outer in containers
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return False


def _leading(sizes: list[float], room: int) -> list[int]:
    """Return the room for each shown list item: the leading items fit, only the first is cut."""
    rooms: list[int] = []
    for size in sizes:
        if size > room:
            return rooms or [room]
        rooms.append(int(size))
        room -= int(size)
    return rooms


def _even(sizes: list[float], room: int) -> list[int]:
    """Return the room for each object member: the small ones fit, the others share the rest."""
    count = min(len(sizes), max(1, room // _MIN_SHARE))
    rooms = [0] * count
    for rank, place in enumerate(sorted(range(count), key=sizes.__getitem__)):
        rooms[place] = int(min(sizes[place], room // (count - rank)))
        room -= rooms[place]
    return rooms
