"""Pieces of JSON Schema (2020-12) that several tools share."""

from __future__ import annotations

from collections.abc import Mapping

Schema = Mapping[str, object]

JOB_ID: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 200,
    # One path segment: no slash or blank, and not the "." and ".." that lead elsewhere.
    # At most one way to match, so that a hostile one cannot take long; no look-ahead, which some
    # clients do not know.
    "pattern": r"^\.*[^/\s.][^/\s]*$",
    "description": "The id of the job: one word without a slash, and not of dots alone.",
}

CAPABILITY_KEY: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 200,
    "description": "The capability's key, such as text.digest.v1.",
}


def arguments(properties: Mapping[str, Schema], *required: str) -> Schema:
    """Return the schema of a tool's arguments, which takes no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def result(properties: Mapping[str, Schema], *required: str, about: str | None = None) -> Schema:
    """Return the schema of an object that the platform may add members to."""
    schema: dict[str, object] = {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": True,
    }
    return {**schema, "description": about} if about else schema


def array(items: Schema, about: str) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": items, "description": about}


def maybe(kind: str, about: str | None = None, **more: Schema) -> Schema:
    """Return the schema of a member that may be null, in the form that most clients understand."""
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
            "Where something was left off.",
        ),
    },
    about="There only when the answer was cut; the note says how to read on.",
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
        "price_nc": maybe("integer", "What it costs, in credits (nc)."),
        "input_envelope": maybe("object"),
        "output_envelope": maybe("object", "The output, once the job has succeeded."),
        "artifacts": maybe("array", items=ARTIFACT),
        "created_at": maybe("string"),
        "completed_at": maybe("string"),
        "error_code": maybe("string", "Why a job failed."),
        "error_message": maybe("string"),
        "truncated": TRUNCATED,
    },
    "id",
    "status",
)
