"""Read the input schemas of the catalog: fields, examples, and values of fields.

A schema comes from a server and may have any form, so every access checks the type.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeGuard

_MAX_DEPTH = 4  # levels of an example
_EXAMPLES: dict[str, object] = {
    "string": "text",
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "null": None,
    "array": [],
    "object": {},
}

Schema = dict[str, Any]


def read_properties(schema: object) -> dict[str, Schema]:
    """Return the schema of each field in an input schema.

    Args:
        schema: The input schema.
    """
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict):
        return {}
    return {name: value if isinstance(value, dict) else {} for name, value in properties.items()}


def read_required(schema: object) -> list[str]:
    """Return the names of the required fields.

    Args:
        schema: The input schema.
    """
    required = schema.get("required") if isinstance(schema, dict) else None
    names = [name for name in required if isinstance(name, str)] if _is_list(required) else []
    return list(dict.fromkeys(names))


def read_types(schema: Mapping[str, Any]) -> list[str]:
    """Return the JSON types that a field may have; empty when the schema has no types.

    Args:
        schema: The schema of a field.
    """
    types = schema.get("type")
    if isinstance(types, str):
        return [types]
    return [name for name in types if isinstance(name, str)] if _is_list(types) else []


def describe_type(schema: Mapping[str, Any]) -> str:
    """Return the type of a field in a few words.

    Args:
        schema: The schema of a field.
    """
    choices = schema.get("enum")
    if _is_list(choices):
        return " | ".join(json.dumps(choice, ensure_ascii=False) for choice in choices)
    return " or ".join(read_types(schema)) or "any"


def make_example(schema: object, depth: int = 0) -> object:
    """Return an example value for a schema. Only the common keywords are considered.

    Args:
        schema: The schema.
        depth: The number of levels above the schema.
    """
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return {}
    for known in _known_values(schema):
        return known
    kind = next(iter(read_types(schema)), "object" if read_properties(schema) else "string")
    if kind == "object":
        properties = read_properties(schema)
        names = read_required(schema) or list(properties)[:1]
        return {name: make_example(properties.get(name, {}), depth + 1) for name in names}
    if kind == "array" and isinstance(schema.get("items"), dict):
        return [make_example(schema["items"], depth + 1)]
    minimum = schema.get("minimum")
    if kind in ("integer", "number") and isinstance(minimum, (int, float)):
        return minimum
    return _EXAMPLES.get(kind, "text")


def parse_value(texts: Sequence[str], schema: Mapping[str, Any]) -> object:
    """Read the value of a field from the command line.

    Args:
        texts: The texts given for the field. Several texts are the items of an array.
        schema: The schema of the field; empty when it is unknown.

    Raises:
        ValueError: A text does not have the type of the field.
    """
    types = read_types(schema)
    if len(texts) > 1 or (types == ["array"] and not texts[0].lstrip().startswith("[")):
        if types and "array" not in types:
            raise ValueError("is given more than once, and is not an array")
        items = schema.get("items")
        return [parse_value([text], items if isinstance(items, dict) else {}) for text in texts]
    [text] = texts
    if types == ["string"]:
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        if not types or "string" in types:
            return text
        raise ValueError(f"is not {describe_type(schema)}: {text}") from None
    if types and not any(_has_type(value, name) for name in types):
        if "string" in types:
            return text
        raise ValueError(f"is not {describe_type(schema)}: {text}")
    # Without a type, 1.10 or 1e3 may be a version or a code. It counts as a number only in the
    # exact form in which JSON writes the number.
    if not types and isinstance(value, (int, float)) and json.dumps(value) != text:
        return text
    return value


def _known_values(schema: Schema) -> list[object]:
    examples, choices = schema.get("examples"), schema.get("enum")
    return [
        *([schema["default"]] if "default" in schema else []),
        *(examples[:1] if isinstance(examples, list) else []),
        *([schema["const"]] if "const" in schema else []),
        *(choices[:1] if isinstance(choices, list) else []),
    ]


def _has_type(value: object, name: str) -> bool:
    if name in ("integer", "number"):
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        numeric = whole if name == "integer" else isinstance(value, (int, float))
        return numeric and not isinstance(value, bool)
    kinds = {"string": str, "boolean": bool, "null": type(None), "array": list, "object": dict}
    return isinstance(value, kinds.get(name, object))


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list) and bool(value)
