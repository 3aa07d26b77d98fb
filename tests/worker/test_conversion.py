"""JSON values are converted to typed objects and back."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, NewType, Optional, TypedDict, Union

import pytest
from hypothesis import given, strategies as st

from chaojiyuyan_worker._run.conversion import Misfit, check, is_structure, read, write


@dataclass
class Item:
    name: str
    price: float = 1.0


@dataclass
class Order:
    items: list[Item]
    mode: Literal["fast", "slow"] = "fast"
    note: Optional[str] = None  # noqa: UP045 - the old spelling is also supported
    part_of: Order | None = None
    tags: dict[str, int] = field(default_factory=dict)


class Options(TypedDict, total=False):
    depth: int


class Named(Options):
    name: str


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        ("3", str, "3"),
        (3, int, 3),
        (True, bool, True),
        (3, float, 3.0),
        (None, type(None), None),
        ({"a": 1}, dict, {"a": 1}),
        ([1, "a"], list, [1, "a"]),
        ([1], list[int], [1]),
        ({"a": [1.5]}, dict[str, list[float]], {"a": [1.5]}),
        (3, Union[str, int], 3),  # noqa: UP007 - the old spelling is also supported
        (None, int | None, None),
        ("fast", Literal["fast"], "fast"),
        ({"x": object}, Any, {"x": object}),
        (5, NewType("Id", int), 5),
        ({"name": "a", "depth": 1, "new": 0}, Named, {"name": "a", "depth": 1}),
        ({"name": "a"}, Named, {"name": "a"}),
        ({"name": "a", "new": 0}, Item, Item("a")),
        (
            {"items": [{"name": "a", "price": 2}], "part_of": {"items": []}},
            Order,
            Order([Item("a", 2.0)], part_of=Order([])),
        ),
    ],
)
def test_a_value_that_fits_is_read(value: object, hint: Any, expected: object) -> None:
    check(hint)

    found = read(value, hint)

    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "hint", "message"),
    [
        ("3", int, "expected an integer, not a string"),
        (True, int, "expected an integer, not true or false"),
        (True, float, "expected a number, not true or false"),
        (1, bool, "expected true or false, not an integer"),
        (3.0, int, "expected an integer, not a number"),
        (1, Literal[True], "expected one of True, not an integer"),
        (
            {"items": [{"name": "a"}, {"name": "b", "price": "x"}]},
            Order,
            "items[1].price: expected",
        ),
        ({}, Order, "items: missing"),
        ({"depth": 1}, Named, "name: missing"),
        ({"items": [], "part_of": {"items": 3}}, Order, "part_of.items: expected a list"),
        ({"items": [], "tags": {"a": "b"}}, Order, "tags.a: expected an integer"),
        ([], Order, "expected an object, not a list"),
    ],
)
def test_a_misfit_names_the_place_but_not_the_value(value: object, hint: Any, message: str) -> None:
    with pytest.raises(Misfit) as caught:
        read(value, hint)

    assert str(caught.value).startswith(message)


def test_an_error_of_a_dataclass_is_a_misfit() -> None:
    @dataclass
    class Positive:
        number: int

        def __post_init__(self) -> None:
            if self.number <= 0:
                raise ValueError(f"secret {self.number}")

    with pytest.raises(Misfit, match="refused by Positive: ValueError") as caught:
        read({"number": -1}, Positive)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("hint", [set, tuple[int], bytes, dict[int, str], list[set[str]]])
def test_an_unsupported_type_is_refused(hint: Any) -> None:
    with pytest.raises(TypeError):
        check(hint)


def test_pydantic_reads_and_writes_itself() -> None:
    pydantic = pytest.importorskip("pydantic")

    class Size(pydantic.BaseModel):
        width: int

    assert is_structure(Size)
    assert read({"width": "3"}, Size) == Size(width=3)  # lax by its own configuration
    assert write({"sizes": [Size(width=1)]}) == {"sizes": [{"width": 1}]}
    with pytest.raises(Misfit, match=r"^width: int_parsing$"):
        read({"width": "secret"}, Size)


def test_objects_are_written_as_json() -> None:
    order = Order([Item("a")], part_of=Order([]))

    assert read(write(order), Order) == order


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(json_values)
def test_any_json_value_matches_or_is_a_misfit(value: object) -> None:
    for hint in (Order, Named, list[Item], dict[str, int | None], Literal["fast"]):
        with suppress(Misfit):
            read(value, hint)
