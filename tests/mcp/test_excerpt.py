from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from chaojiyuyan_core.redaction import mask_keys
from chaojiyuyan_mcp._excerpt import MAX_DEPTH, Excerpt, is_flatter, leading, part

LONGEST = 2_000

texts = st.text(max_size=50) | st.integers(100, 9_000).map("x".__mul__)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=60) | st.dictionaries(texts, inner, max_size=20),
    max_leaves=200,
)


def size(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False))


def read_whole(whole: object, pointer: str = "") -> Any:
    """Rebuild a value from excerpts, as a client that follows the notes does."""
    value = part(whole, pointer)
    offset = 0
    shown: Any = None
    while True:
        excerpt = Excerpt(LONGEST)
        piece = excerpt.of(value, pointer, offset)
        following = offset
        for cut in excerpt.cuts:
            if cut["pointer"] == pointer:
                following = cut["next_offset"]
            else:
                inner, name = cut["pointer"].rsplit("/", 1)
                holder = part(piece, inner[len(pointer) :]) if not isinstance(piece, list) else None
                whole_part = read_whole(whole, cut["pointer"])
                if isinstance(holder, dict):
                    holder[name.replace("~1", "/").replace("~0", "~")] = whole_part
                else:
                    _replace(piece, cut["pointer"][len(pointer) :], offset, whole_part)
        if shown is None:
            shown = piece
        elif isinstance(shown, dict):
            shown.update(piece)
        else:
            shown = shown + piece
        if following == offset:
            return shown
        offset = following


def _replace(piece: Any, pointer: str, offset: int, value: object) -> None:
    """Insert a value at a pointer. The offset belongs to the outermost list."""
    tokens = [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]
    holder = piece
    for depth, token in enumerate(tokens):
        key: Any = token
        if isinstance(holder, list):
            key = int(token) - (offset if depth == 0 else 0)
        if depth == len(tokens) - 1:
            holder[key] = value
        else:
            holder = holder[key]


@settings(max_examples=40, deadline=None)
@given(json_values)
def test_a_value_that_fits_is_unchanged(value: object) -> None:
    excerpt = Excerpt(10**9)
    assert excerpt.of(value) == value
    assert excerpt.cuts == []


@settings(max_examples=40, deadline=None)
@given(json_values)
def test_an_excerpt_is_short_and_the_rest_can_be_read(value: object) -> None:
    before = json.dumps(value)
    excerpt = Excerpt(LONGEST)
    # Names are never cut, so a name may be longer than its share.
    assert size(excerpt.of(value)) <= 3 * LONGEST + _names(value)
    assert read_whole(value) == value
    assert json.dumps(value) == before


def _names(value: object) -> int:
    if isinstance(value, dict):
        return sum(len(name) * 2 + 8 + _names(inner) for name, inner in value.items())
    if isinstance(value, list):
        return sum(4 + _names(inner) for inner in value)
    return 0


def test_small_members_stay_whole_beside_a_large_one() -> None:
    job = {"id": "job_1", "output_envelope": {"text": "x" * 100_000}, "status": "succeeded"}
    excerpt = Excerpt()
    shown = excerpt.of(job)
    assert (shown["id"], shown["status"]) == ("job_1", "succeeded")
    (cut,) = excerpt.cuts
    assert cut["pointer"] == "/output_envelope/text"
    assert 30_000 < cut["next_offset"] < 40_000
    assert cut["total"] == 100_000


def test_a_list_shows_its_first_items_whole() -> None:
    rows = [{"row": number, "text": "y" * 100} for number in range(5_000)]
    excerpt = Excerpt()
    shown = excerpt.of(rows, "/rows")
    assert shown == rows[: len(shown)]
    assert excerpt.cuts == [{"pointer": "/rows", "next_offset": len(shown), "total": 5_000}]
    again = excerpt.of(rows, "/rows", len(shown))
    assert again[0] == rows[len(shown)]


def test_depth_is_cut_and_can_be_read_on() -> None:
    value: Any = "bottom"
    for _ in range(500):
        value = {"in": value}
    excerpt = Excerpt()
    assert is_flatter(excerpt.of(value), MAX_DEPTH)
    (cut,) = excerpt.cuts
    assert cut["next_offset"] == 0
    assert part(value, cut["pointer"]) != {}


@pytest.mark.parametrize("place", [100, 101, 120, 139, 141])
def test_no_part_of_a_key_is_shown(place: int) -> None:
    text = f"{'x' * 99} nxt_ag_{'0123456789abcdef' * 2} {'y' * 2000}"
    for part_of_text in (Excerpt(place).of(text), Excerpt(1000).of(text, "", place)):
        assert "cdef" not in mask_keys(part_of_text).replace("…cdef", "")


def test_a_page_has_at_least_one_row() -> None:
    assert leading([{"text": "z" * 99}, {}], 50) == [{"text": "z" * 99}]
    assert leading([], 50) == []


@pytest.mark.parametrize("pointer", ["a", "/b", "/a/5", "/a/-1", "/a/0/x", "/a/²", "/a/"])
def test_a_pointer_to_nothing_is_an_error(pointer: str) -> None:
    with pytest.raises(ValueError, match="pointer"):
        part({"a": [1]}, pointer)


def test_pointers_may_have_escapes() -> None:
    assert part({"a/b": {"~": 1}}, "/a~1b/~0") == 1
    assert part({"a": 1}, "") == {"a": 1}
