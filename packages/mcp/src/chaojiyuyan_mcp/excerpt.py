"""Values cut down to what a model can take in, each cut named so that the rest can be asked for.

A cut is named by its JSON Pointer (RFC 6901) in the whole and by the offset to go on from, counted
in the characters of a text, the items of a list, or the members of an object.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

LONGEST = 40_000
"""Characters of JSON that an answer may have; some clients hide a longer one in a file."""

DEEPEST = 64
"""Levels that an answer may be nested; deeper ones are left off."""

_LEAST = 200
"""Characters at least for each member that is shown: less would say nothing."""


class Cut(TypedDict):
    """A place where something was left off."""

    pointer: str
    next_offset: int
    total: int


@dataclass
class Excerpt:
    """Cuts a value down and notes what it left off.

    :param longest: characters of JSON to keep, about.
    """

    longest: int = LONGEST
    cuts: list[Cut] = field(default_factory=list)

    def of(self, value: T, pointer: str = "", offset: int = 0) -> T:
        """Return the value from ``offset`` on, or as much of it as fits.

        :param pointer: where the value stands in the whole.
        """
        return cast("T", self._cut(value, pointer, self.longest, DEEPEST - 1, offset))

    def _cut(self, value: object, pointer: str, room: int, levels: int, offset: int = 0) -> object:
        if isinstance(value, str):
            end = offset + room
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
            name: self._cut(member, f"{pointer}/{_escaped(name)}", share, levels - 1)
            for (name, member), share in zip(members, rooms, strict=False)
        }
        return kept if isinstance(value, dict) else list(kept.values())


def leading(rows: Sequence[T], longest: int = LONGEST) -> list[T]:
    """Return the first rows that fit, each of them whole; at least one."""
    return list(rows[: len(_leading([_size(row) for row in rows], longest))])


def part(whole: object, pointer: str) -> object:
    """Return the value that a JSON Pointer leads to.

    :raises ValueError: it leads to nothing.
    """
    value = whole
    if pointer and not pointer.startswith("/"):
        raise ValueError(f"pointer {pointer!r} does not begin with /")
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            raise ValueError(f"pointer {pointer!r} leads to nothing at {name!r}")
    return value


def _escaped(name: object) -> str:
    return str(name).replace("~", "~0").replace("/", "~1")


def _size(value: object) -> float:
    try:
        return len(json.dumps(value, ensure_ascii=False))
    except RecursionError:
        return float("inf")


def is_flatter(value: object, levels: int) -> bool:
    """Tell whether a value has no more than so many levels of lists and objects."""
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
    """Items of a list: the first ones whole; only the very first may be cut itself."""
    rooms: list[int] = []
    for size in sizes:
        if size > room:
            return rooms or [room]
        rooms.append(int(size))
        room -= int(size)
    return rooms


def _even(sizes: list[float], room: int) -> list[int]:
    """Members of an object: the small ones whole, what they leave is shared by the others."""
    count = min(len(sizes), max(1, room // _LEAST))
    rooms = [0] * count
    for rank, place in enumerate(sorted(range(count), key=sizes.__getitem__)):
        rooms[place] = int(min(sizes[place], room // (count - rank)))
        room -= rooms[place]
    return rooms
