"""Fields, examples and values from input schemas, and ages of jobs."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st
from jsonschema import Draft202012Validator

from chaojiyuyan_cli._ages import describe_age, parse_since
from chaojiyuyan_cli._schemas import (
    describe_type,
    make_example,
    parse_value,
    read_properties,
    read_required,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)

SCHEMA = {
    "type": "object",
    "required": ["text", "size", "tags", "mode", "inner"],
    "properties": {
        "text": {"type": "string"},
        "size": {"type": "integer", "minimum": 5},
        "tags": {"type": "array", "items": {"type": "string"}},
        "mode": {"enum": ["fast", "slow"]},
        "inner": {"type": "object", "required": ["x"], "properties": {"x": {"type": "number"}}},
        "note": {"type": "string"},
    },
}


def test_an_example_fits_its_schema() -> None:
    example = make_example(SCHEMA)
    Draft202012Validator(SCHEMA).validate(example)
    assert example == {
        "text": "text",
        "size": 5,
        "tags": ["text"],
        "mode": "fast",
        "inner": {"x": 1.5},
    }


def test_a_repeated_required_name_appears_once() -> None:
    schema: dict[str, object] = {"type": "string"}
    for _ in range(4):
        schema = {"type": "object", "required": ["a"] * 10_000, "properties": {"a": schema}}
    assert make_example(schema) == {"a": {"a": {"a": {"a": "text"}}}}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "properties", "required", "enum", "items", "examples", "minimum"]
            ),
            inner,
        )
    ),
)


@given(json_values)
def test_a_strange_schema_does_not_break_the_page(schema: object) -> None:
    make_example(schema)
    read_required(schema)
    for field in read_properties(schema).values():
        describe_type(field)


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("1", {"type": "string"}, "1"),
        ("1", {"type": "integer"}, 1),
        ("1.0", {"type": "integer"}, 1.0),
        ("1.5", {"type": "number"}, 1.5),
        ("true", {"type": "boolean"}, True),
        ("true", {"type": ["string", "null"]}, "true"),
        ("null", {"type": ["string", "null"]}, None),
        ('["a"]', {"type": "array"}, ["a"]),
        ("a", {"type": "array"}, ["a"]),
        ("1", {"type": "array", "items": {"type": "string"}}, ["1"]),
        ('{"a": 1}', {"type": "object"}, {"a": 1}),
        ("hello", {}, "hello"),
        ("7", {}, 7),
        ("1.10", {}, "1.10"),
        ("007", {}, "007"),
        ('{"a": 1}', {}, {"a": 1}),
    ],
)
def test_a_field_gets_the_type_of_the_schema(
    text: str, schema: dict[str, object], value: object
) -> None:
    assert parse_value([text], schema) == value


def test_a_field_given_twice_becomes_an_array() -> None:
    schema = {"type": "array", "items": {"type": "integer"}}
    assert parse_value(["1", "2"], schema) == [1, 2]
    assert parse_value(["1", "b"], {}) == [1, "b"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [("x", "integer"), ("1.5", "integer"), ("true", "number"), ("1", "boolean"), ("[]", "object")],
)
def test_a_value_of_the_wrong_type_is_refused(text: str, kind: str) -> None:
    with pytest.raises(ValueError, match=f"is not {kind}"):
        parse_value([text], {"type": kind})


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("2026-11-22T11:59:59.5Z", "just now"),
        ("2026-11-22T12:00:30Z", "just now"),
        ("2026-11-22T11:59:30Z", "30 s ago"),
        ("2026-11-22T11:30:00Z", "30 min ago"),
        ("2026-11-22T02:00:00", "10 h ago"),
        ("2026-11-01T12:00:00+00:00", "21 d ago"),
        ("soon", "soon"),
        (None, None),
        (7, 7),
    ],
)
def test_ages(value: object, shown: object) -> None:
    assert describe_age(value, NOW) == shown


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("90s", timedelta(seconds=90)),
        ("30min", timedelta(minutes=30)),
        ("30m", timedelta(minutes=30)),
        (" 2 H ", timedelta(hours=2)),
        ("7d", timedelta(days=7)),
        ("1w", timedelta(weeks=1)),
        ("2026-11-22", timedelta(hours=12)),
        ("2026-11-22T13:00:00+02:00", timedelta(hours=1)),
    ],
)
def test_a_time_span_has_a_start(text: str, ago: timedelta) -> None:
    assert parse_since(text, NOW) == NOW - ago


def test_a_very_long_time_span_includes_everything() -> None:
    assert parse_since("999999999w", NOW).year == 1


@pytest.mark.parametrize("text", ["", "tomorrow", "2 fortnights", "-1h", "2026-13-01"])
def test_an_invalid_time_span_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="neither"):
        parse_since(text, NOW)
