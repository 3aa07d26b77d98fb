from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from chaojiyuyan_client._canonical import canonical_json, hash_input

# RFC 8785, appendix B.
NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}
JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**53), 2**53),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(exclude_categories=["Cs"])),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4),
    ),
    max_leaves=10,
)


@pytest.mark.parametrize(("bits", "text"), NUMBERS.items())
def test_a_number_has_the_form_of_the_rfc(bits: str, text: str) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical_json(number) == text


def test_the_examples_of_the_rfc_match() -> None:
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }
    assert canonical_json(value) == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    ordered = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert list(json.loads(canonical_json(dict.fromkeys(names)))) == ordered


@settings(max_examples=50)
@given(JSON)
def test_the_text_is_json_of_an_equal_value_and_unique(value: Any) -> None:
    text = canonical_json(value)
    again = json.loads(text, parse_int=float)
    assert again == value
    assert canonical_json(again) == text


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), 2**53 + 1, 10**400, "\ud800", {"\ud800": 1}]
)
def test_a_value_without_canonical_form_is_a_value_error(value: Any) -> None:
    with pytest.raises(ValueError, match=r"number|surrogates"):
        canonical_json(value)


@pytest.mark.parametrize("value", [object(), {1: 2}, b"a", {"a": {1}}])
def test_a_value_that_is_not_json_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)


def test_a_hash_differs_by_capability_and_input() -> None:
    same = hash_input("a.v1", {"x": 1, "y": [1.0]})
    assert same == hash_input("a.v1", {"y": [1], "x": 1.0})
    assert len({same, hash_input("b.v1", {"x": 1, "y": [1]}), hash_input("a.v1", {"x": 2})}) == 3
