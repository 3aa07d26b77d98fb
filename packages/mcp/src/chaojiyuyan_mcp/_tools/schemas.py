"""Parts of JSON Schema (2020-12) that several tools share."""

from __future__ import annotations

from collections.abc import Mapping

from chaojiyuyan_core.offers import MAX_JOB_ID_CHARS
from chaojiyuyan_mcp._jobs import JOB_ID_PATTERN

Schema = Mapping[str, object]

JOB_ID: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_JOB_ID_CHARS,
    "pattern": JOB_ID_PATTERN,
    "description": "Id of the job: one word without a slash, and not only dots.",
}

CAPABILITY_KEY: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 200,
    "description": "The capability's key, such as text.digest.v1.",
}


def arguments(properties: Mapping[str, Schema], *required: str) -> Schema:
    """Return the schema of a tool's arguments, which allows no other arguments.

    Args:
        properties: The schema of each argument, by name.
        required: The names of the required arguments.
    """
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def result(properties: Mapping[str, Schema], *required: str, about: str | None = None) -> Schema:
    """Return the schema of an object to which the platform may add members.

    Args:
        properties: The schema of each known member, by name.
        required: The names of the required members.
        about: The description of the object.
    """
    schema: dict[str, object] = {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": True,
    }
    return {**schema, "description": about} if about else schema


def array(items: Schema, about: str) -> Schema:
    """Return the schema of a list.

    Args:
        items: The schema of each item.
        about: The description of the list.
    """
    return {"type": "array", "items": items, "description": about}


def maybe(kind: str, about: str | None = None, **more: Schema) -> Schema:
    """Return the schema of a member that may be null, in a form that most clients support.

    Args:
        kind: The type of the member when it is not null.
        about: The description of the member.
        more: More keywords of the schema.
    """
    schema: dict[str, object] = {"anyOf": [{"type": kind, **more}, {"type": "null"}]}
    return {**schema, "description": about} if about else schema


TRUNCATED = result(
    {
        "note": {"type": "string"},
        "parts": array(
            result(
                {
                    "pointer": {"type": "string"},
                    "next_offset": {"type": "integer"},
                    "total": {"type": "integer"},
                },
                "pointer",
                "next_offset",
                "total",
            ),
            "The parts that were left out.",
        ),
    },
    about="Present only when parts were left out; the note says how to read them.",
)

ARTIFACT = result(
    {
        "id": maybe("string"),
        "kind": maybe("string", "json, image, video, …"),
        "artifact_uri": maybe("string"),
        "mime_type": maybe("string"),
        "size_bytes": maybe("integer"),
        "meta": maybe("object"),
    }
)

JOB = result(
    {
        "id": {"type": "string"},
        "status": {
            "type": "string",
            "description": "succeeded, failed, cancelled and expired are final; others are not.",
        },
        "capability_key": maybe("string"),
        "price_nc": maybe("integer", "Price in credits (nc)."),
        "input_envelope": maybe("object"),
        "output_envelope": maybe("object", "The output, once the job has succeeded."),
        "artifacts": maybe("array", items=ARTIFACT),
        "created_at": maybe("string"),
        "completed_at": maybe("string"),
        "error_code": maybe("string", "Reason of a failure."),
        "error_message": maybe("string"),
        "truncated": TRUNCATED,
    },
    "id",
    "status",
)
