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
"""Default number of capabilities in one result."""

MAX_ROW_CHARS = 6_000
"""Maximum characters of one capability. Most of them are its schema."""


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
            "Nothing matches. Call kernel_list_capabilities with a shorter query, other words or"
            " another language, or without query and category to list everything."
            if query or "category" in arguments
            else "The platform has no capabilities now. Tell the user."
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
            f"cursor {cursor[:50]!r} is invalid; pass next_cursor of the previous result"
        )
    return int(cursor)


_CAPABILITY = schemas.result(
    {
        "capability_key": schemas.maybe("string", "The capability_key for kernel_create_job."),
        "name": schemas.maybe("string"),
        "category": schemas.maybe("string"),
        "description": schemas.maybe("string"),
        "price_nc": schemas.maybe("integer", "Price of a job in credits (nc)."),
        "input_mode": schemas.maybe("string"),
        "output_mode": schemas.maybe("string"),
        "input_schema": schemas.maybe("object", "The JSON Schema that input_payload must fit."),
        "output_schema": schemas.maybe("object", "The JSON Schema of the output."),
    }
)

LIST_CAPABILITIES = Tool(
    name="kernel_list_capabilities",
    title="List capabilities",
    description="List the capabilities of the platform: key, name, category, price in credits (nc)"
    " and, if it exists, input_schema, which describes input_payload of kernel_create_job. Start"
    " here before you order. Filter a long list by query (text in key, name, category or"
    " description) or by category (exact). Pass next_cursor as cursor to read the next page. Free.",
    toolset="caller",
    read_only=True,
    idempotent=True,
    input_schema=schemas.arguments(
        {
            "category": {
                "type": "string",
                "minLength": 1,
                "description": "Filter by category, spelled exactly.",
            },
            "query": {
                "type": "string",
                "minLength": 1,
                "description": "Filter by text in key, name, category or description.",
            },
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": 200,
                "default": PAGE_SIZE,
                "description": "Maximum number of capabilities in the result.",
            },
            "cursor": {
                "type": "string",
                "description": "next_cursor of the previous result, with the same filters.",
            },
        }
    ),
    output_schema=schemas.result(
        {
            "capabilities": schemas.array(_CAPABILITY, "The capabilities found."),
            "next_cursor": schemas.maybe("string", "Cursor of the next page; null at the end."),
            "total": {"type": "integer", "description": "Number of all matches."},
            "next_step": {"type": "string", "description": "What to do if nothing matches."},
        },
        "capabilities",
        "next_cursor",
    ),
    run=list_capabilities,
)
