"""Make a form from a JSON Schema, and the value from the submitted form.

Only a flat object of strings, numbers, booleans and enums becomes fields; for any other schema
the form has one text area for JSON. The kernel validates the value against the schema; this
module only checks that a field's text can be converted to its type.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from .language import Language

Json = dict[str, Any]

PREFIX = "input."

_OBJECT_WORDS = {
    "$schema",
    "type",
    "title",
    "description",
    "properties",
    "required",
    "additionalProperties",
    "minProperties",
    "maxProperties",
    "examples",
}
_COMPOSED = {"$ref", "oneOf", "anyOf", "allOf", "not", "if", "const"}


@dataclass
class Field:
    """One field of a form.

    Attributes:
        name: The property of the object.
        kind: ``string``, ``integer``, ``number`` or ``choice``.
        required: Whether the schema requires it.
        description: The schema's description.
        long: Whether the field has several lines.
        schema: The property's schema.
        choices: The allowed values as JSON, for a choice.
        text: The field's current text.
        error: The text's error, or empty.
    """

    name: str
    kind: str
    required: bool
    description: str
    long: bool
    schema: Json
    choices: tuple[str, ...]
    text: str = ""
    error: str = ""

    @property
    def key(self) -> str:
        """The field's name in the submitted form."""
        return PREFIX + self.name

    def value(self) -> Any:
        """Return the JSON value of the text.

        Raises:
            ValueError: The text cannot be converted to the field's kind.
        """
        if self.kind == "integer":
            return int(self.text)
        if self.kind == "number":
            number = float(self.text)
            if not math.isfinite(number):
                raise ValueError("not a JSON number")
            return number
        return json.loads(self.text) if self.kind == "choice" else self.text


def fields_of(schema: Json) -> list[Field] | None:
    """Return the fields for an input schema, or None if it is not a flat object."""
    properties = schema.get("properties")
    if not properties or not isinstance(properties, dict) or set(schema) - _OBJECT_WORDS:
        return None
    if isinstance(schema.get("additionalProperties"), dict):
        return None
    required = schema.get("required", ())
    found = [_field(name, of, name in required) for name, of in properties.items()]
    fields = [field for field in found if field is not None]
    return fields if len(fields) == len(found) else None


def _field(name: str, schema: Any, required: bool) -> Field | None:
    if not isinstance(schema, dict) or _COMPOSED & set(schema):
        return None
    kind = schema.get("type")
    options = schema.get("enum", [True, False] if kind == "boolean" else None)
    if options is not None:
        kind = "choice"
    elif kind not in ("string", "integer", "number"):
        return None
    default = schema.get("default")
    text = "" if default is None else default if kind == "string" else json.dumps(default)
    return Field(
        name=name,
        kind=kind,
        required=required,
        description=str(schema.get("description", "")),
        long=kind == "string" and "format" not in schema and schema.get("maxLength", 1000) > 200,
        schema=schema,
        choices=tuple(json.dumps(option, ensure_ascii=False) for option in options or ()),
        text=str(text),
    )


def read_fields(fields: list[Field], form: Mapping[str, Any], language: Language) -> Json:
    """Set the fields' submitted texts, and return the object with their values.

    An empty field is left out of the object, unless it is a required string. A field whose text
    cannot be converted gets its ``error`` and is left out as well.
    """
    value: Json = {}
    for field in fields:
        # browsers send line ends as CRLF
        field.text = str(form.get(field.key, "")).replace("\r\n", "\n")
        try:
            if field.text or (field.required and field.kind == "string"):
                value[field.name] = field.value()
        except ValueError:
            field.error = language(f"form.not_{field.kind}")
    return value


def mark_errors(fields: list[Field], errors: list[str]) -> list[str]:
    """Set the fields' validation errors, and return the errors that belong to no field.

    The errors are the kernel's, such as ``$.count: 9 is greater than the maximum of 8``.
    """
    by_path = {f"$.{field.name}": field for field in fields}
    others = []
    for error in errors:
        path, _, text = error.partition(": ")
        if path in by_path:
            by_path[path].error = text
        else:
            others.append(error)
    return others


def parse_object(text: str, language: Language) -> Json:
    """Parse a JSON object as the API does; an empty text is an empty object.

    Raises:
        ValueError: The text is not a JSON object; the message says where and why.
    """
    try:
        value = from_json(text or "{}", allow_inf_nan=False)
    except ValueError as error:
        raise ValueError(language("form.not_json", reason=error)) from None
    if not isinstance(value, dict):
        raise ValueError(language("form.not_object"))
    return value
