"""The tool that lists the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaojiyuyan_mcp._excerpt import Excerpt, leading
from chaojiyuyan_mcp._results import Answer, bad_arguments

from . import schemas
from .tool import Tool

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chaojiyuyan_core.models import CapabilitySpec

    from .tool import Outcome, ToolCall

PAGE_SIZE = 50
"""Capabilities listed at once by default."""

MAX_ROW_CHARS = 6_000
"""Characters of one capability; its schema is most of it."""


async def list_capabilities(call: ToolCall) -> Outcome:
    """Return a page of the catalog."""
    from chaojiyuyan_core import api

    arguments = call.arguments
    rows = await call.services.platform.request(
        api.list_capabilities(category=arguments.get("category"))
    )
    found = rows
    query = arguments.get("query", "").casefold()
    if query:
        texts = ("capability_key", "name", "category", "description")
        found = [
            row
            for row in rows
            if any(query in str(row.get(member, "")).casefold() for member in texts)
        ]
    start = _read_cursor(arguments.get("cursor"))
    page = found[start : start + int(arguments.get("limit", PAGE_SIZE))]
    shown = leading([_cut_row(row) for row in page])
    end = start + len(shown)
    answer: dict[str, object] = {
        "capabilities": shown,
        "next_cursor": str(end) if end < len(found) else None,
        "total": len(found),
    }
    if not found:
        answer["next_step"] = (
            "Nothing matches. Call kernel_list_capabilities with a shorter query, in other words or"
            " another language, or without query and category, which lists everything."
            if query or "category" in arguments
            else "The platform offers no capability at present. Tell the user."
        )
    return Answer(answer)


def _cut_row(row: CapabilitySpec) -> Mapping[str, object]:
    excerpt = Excerpt(MAX_ROW_CHARS)
    shown = excerpt.of(row)
    return {**shown, "truncated": {"parts": excerpt.cuts}} if excerpt.cuts else shown


def _read_cursor(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
        raise bad_arguments(
            f"cursor {cursor[:50]!r} is unknown; take next_cursor of kernel_list_capabilities"
        )
    return int(cursor)


_CAPABILITY = schemas.result(
    {
        "capability_key": schemas.maybe("string", "What kernel_create_job takes."),
        "name": schemas.maybe("string"),
        "category": schemas.maybe("string"),
        "description": schemas.maybe("string"),
        "price_nc": schemas.maybe("integer", "What a job costs, in credits (nc)."),
        "input_mode": schemas.maybe("string"),
        "output_mode": schemas.maybe("string"),
        "input_schema": schemas.maybe("object", "The JSON Schema that input_payload must fit."),
        "output_schema": schemas.maybe("object", "The JSON Schema of the output."),
    }
)

LIST_CAPABILITIES = Tool(
    name="kernel_list_capabilities",
    title="List capabilities",
    description="List what the platform can do: each capability's key, name, category, price"
    " in credits (nc) and, where it has one, input_schema, which says what kernel_create_job"
    " takes as input_payload. Start here before you order. Narrow a long catalog with query"
    " (found in key, name, category or description) or category (exact); read on with"
    " next_cursor. Free.",
    toolset="caller",
    read_only=True,
    idempotent=True,
    input_schema=schemas.arguments(
        {
            "category": {
                "type": "string",
                "minLength": 1,
                "description": "Only this category, spelled exactly.",
            },
            "query": {
                "type": "string",
                "minLength": 1,
                "description": "Only capabilities that contain this text.",
            },
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": 200,
                "default": PAGE_SIZE,
                "description": "How many to list at once.",
            },
            "cursor": {
                "type": "string",
                "description": "next_cursor of the answer before, with the same filters.",
            },
        }
    ),
    output_schema=schemas.result(
        {
            "capabilities": schemas.array(_CAPABILITY, "The capabilities found."),
            "next_cursor": schemas.maybe("string", "Where to read on; null at the end."),
            "total": {"type": "integer", "description": "How many match in all."},
            "next_step": {"type": "string", "description": "What to do if nothing matches."},
        },
        "capabilities",
        "next_cursor",
    ),
    run=list_capabilities,
)
