"""Forms from JSON Schemas: which schemas become fields, and how values are read."""

from __future__ import annotations

from typing import Any

import pytest

from chaojiyuyan_devserver._console.forms import (
    Field,
    fields_of,
    mark_errors,
    parse_object,
    read_fields,
)
from chaojiyuyan_devserver._console.language import ENGLISH

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["title"],
    "properties": {
        "title": {"type": "string", "maxLength": 80},
        "body": {"type": "string"},
        "count": {"type": "integer", "default": 2},
        "scale": {"type": "number"},
        "colour": {"type": "string", "enum": ["red", "grün"]},
        "draft": {"type": "boolean"},
    },
}


def fields() -> list[Field]:
    made = fields_of(SCHEMA)
    assert made is not None
    return made


def test_a_flat_object_becomes_fields() -> None:
    made = {field.name: field for field in fields()}
    assert list(made) == list(SCHEMA["properties"])
    assert [made[name].kind for name in made] == [
        "string",
        "string",
        "integer",
        "number",
        "choice",
        "choice",
    ]
    assert made["title"].required
    assert not made["body"].required
    assert made["body"].long
    assert not made["title"].long
    assert made["count"].text == "2"
    assert made["colour"].choices == ('"red"', '"grün"')
    assert made["draft"].choices == ("true", "false")


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {"a": {"type": "array"}}},
        {"type": "object", "properties": {"a": {"type": "object"}}},
        {"type": "object", "properties": {"a": {"type": ["string", "null"]}}},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}},
        {"type": "object", "properties": {"a": True}},
        {"type": "object", "properties": {"a": {"type": "string"}}, "oneOf": []},
        {
            "type": "object",
            "properties": {"a": {"type": "string"}},
            "additionalProperties": {"type": "string"},
        },
    ],
)
def test_other_schemas_get_a_json_field(schema: dict[str, object]) -> None:
    assert fields_of(schema) is None


def test_submitted_texts_are_converted_by_kind() -> None:
    form = {
        "input.title": "",
        "input.body": "one\r\ntwo",
        "input.count": "3",
        "input.scale": "0.5",
        "input.colour": '"grün"',
        "input.draft": "false",
    }
    done = fields()
    value = read_fields(done, form, ENGLISH)
    assert value == {
        "title": "",  # required, so it is kept; the schema decides whether it may be empty
        "body": "one\ntwo",
        "count": 3,
        "scale": 0.5,
        "colour": "grün",
        "draft": False,
    }
    assert not any(field.error for field in done)


def test_empty_fields_are_left_out() -> None:
    value = read_fields(fields(), {"input.title": "x", "input.count": ""}, ENGLISH)
    assert value == {"title": "x"}


@pytest.mark.parametrize(
    ("name", "text"), [("count", "3.5"), ("count", "x"), ("scale", "nan"), ("draft", "perhaps")]
)
def test_a_text_that_cannot_be_converted_is_kept_with_an_error(name: str, text: str) -> None:
    done = fields()
    value = read_fields(done, {"input.title": "x", f"input.{name}": text}, ENGLISH)
    field = next(field for field in done if field.name == name)
    assert field.error
    assert field.text == text
    assert name not in value


def test_validation_errors_go_to_their_fields() -> None:
    marked = fields()
    others = mark_errors(marked, ["$.count: 9 is too much", "$: something is missing"])
    assert next(f for f in marked if f.name == "count").error == "9 is too much"
    assert others == ["$: something is missing"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": }', "line 1 column 7"),
        ('{\n"a": 1,\n}', "line 3"),
        ("[1]", "must be a JSON object"),
        ('{"a": NaN}', "not JSON"),
        ('{"a": "\\ud800"}', "not JSON"),  # a lone surrogate, which cannot be stored
        ("[" * 100_000, "recursion limit"),
    ],
)
def test_invalid_json_is_reported_with_its_position(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_object(text, ENGLISH)


def test_an_empty_text_is_an_empty_object() -> None:
    assert parse_object("", ENGLISH) == {}
    assert parse_object('{"a": [1, null]}', ENGLISH) == {"a": [1, None]}
