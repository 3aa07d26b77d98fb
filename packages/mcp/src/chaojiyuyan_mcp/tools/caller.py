"""The tools of a caller: find a capability, post a job, wait for it, read what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaojiyuyan_mcp.excerpt import Excerpt, leading, part
from chaojiyuyan_mcp.results import bad_arguments

from . import schemas
from .tool import Tool
from .waiting import WAIT, waited_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chaojiyuyan_core.models import JobData
    from chaojiyuyan_mcp.session import Session

    from .tool import Arguments, Report

PAGE = 50
"""Capabilities listed at once by default."""

READ_ON = (
    "Left off to keep this answer short. To read on, call kernel_get_job with this job_id, a"
    " part's pointer, and its next_offset as offset."
)


async def list_capabilities(
    session: Session, arguments: Arguments, _: Report
) -> Mapping[str, object]:
    """A page of the catalog."""
    from chaojiyuyan_core import api

    found = await session.request(api.list_capabilities(category=arguments.get("category")))
    query = arguments.get("query", "").casefold()
    if query:
        texts = ("capability_key", "name", "category", "description")
        found = [
            spec
            for spec in found
            if any(query in str(spec.get(member, "")).casefold() for member in texts)
        ]
    start = _offset(arguments.get("cursor"))
    shown = leading(found[start : start + int(arguments.get("limit", PAGE))])
    end = start + len(shown)
    return {
        "capabilities": shown,
        "next_cursor": str(end) if end < len(found) else None,
        "total": len(found),
    }


async def create_job(session: Session, arguments: Arguments, _: Report) -> Mapping[str, object]:
    """Post a job."""
    from uuid import uuid4

    from chaojiyuyan_core import api

    # A key of our own makes it safe to send the call again after a lost answer.
    key = arguments.get("idempotency_key") or uuid4().hex
    call = api.create_job(
        arguments["capability_key"], arguments["input_payload"], idempotency_key=key
    )
    return _excerpt(await session.request(call))


async def get_job(session: Session, arguments: Arguments, _: Report) -> Mapping[str, object]:
    """A job, or a part of it."""
    from chaojiyuyan_core import api

    pointer, offset = arguments.get("pointer"), int(arguments.get("offset", 0))
    if pointer is None and offset:
        raise bad_arguments("offset goes with pointer")
    job = await session.request(api.get_job(arguments["job_id"]))
    if pointer is None:
        return _excerpt(job)
    try:
        whole = part(job, pointer)
    except ValueError as error:
        raise bad_arguments(str(error)) from None
    excerpt = Excerpt()
    answer = {
        "id": job["id"],
        "status": job["status"],
        "pointer": pointer,
        "offset": offset,
        "value": excerpt.of(whole, pointer, offset),
    }
    return _noted(answer, excerpt)


async def wait_for_job(
    session: Session, arguments: Arguments, report: Report
) -> Mapping[str, object]:
    """A job that has ended."""
    return _excerpt(await waited_for(session, arguments, report))


async def list_artifacts(session: Session, arguments: Arguments, _: Report) -> Mapping[str, object]:
    """The files of a job."""
    from chaojiyuyan_core import api

    job = await session.request(api.get_job(arguments["job_id"]))
    excerpt = Excerpt()
    artifacts = excerpt.of(job.get("artifacts") or [], "/artifacts")
    return _noted({"artifacts": artifacts}, excerpt)


def _excerpt(job: JobData) -> Mapping[str, object]:
    excerpt = Excerpt()
    return _noted(excerpt.of(job), excerpt)


def _noted(answer: Mapping[str, object], excerpt: Excerpt) -> Mapping[str, object]:
    """Add to an answer what was left off of it, and how to read on."""
    if not excerpt.cuts:
        return answer
    return {**answer, "truncated": {"note": READ_ON, "parts": excerpt.cuts}}


def _offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
        raise bad_arguments(f"cursor {cursor!r} is none that kernel_list_capabilities gave")
    return int(cursor)


_CAPABILITY = schemas.result(
    {
        "capability_key": schemas.maybe("string", "What kernel_create_job takes."),
        "name": schemas.maybe("string"),
        "category": schemas.maybe("string"),
        "price_nc": schemas.maybe("integer", "What a job costs, in credits (nc)."),
        "input_mode": schemas.maybe("string"),
        "output_mode": schemas.maybe("string"),
    }
)

TOOLS = (
    Tool(
        name="kernel_list_capabilities",
        title="List capabilities",
        description="List what the platform can do: each capability's key, name, category and"
        " price in credits (nc). Start here when you do not know the capability_key for"
        " kernel_create_job. Narrow a long catalog with query (found in key, name, category or"
        " description) or category (exact); read on with next_cursor. Free.",
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
                    "default": PAGE,
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
            },
            "capabilities",
            "next_cursor",
        ),
        run=list_capabilities,
    ),
    Tool(
        name="kernel_create_job",
        title="Create a job",
        description="Order a capability: post a job for a worker to do. COSTS CREDITS, the"
        " capability's price_nc. Returns the job at once, mostly not yet done: pass its id to"
        " kernel_wait_for_job. Give an idempotency_key of your own if you may repeat the order:"
        " the same key gives the same job and is charged once.",
        toolset="caller",
        read_only=False,
        idempotent=False,
        input_schema=schemas.arguments(
            {
                "capability_key": schemas.CAPABILITY_KEY,
                "input_payload": {
                    "type": "object",
                    "description": "The input; its members depend on the capability.",
                },
                "idempotency_key": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 200,
                    "description": "Any text of yours, the same for every repeat of one order.",
                },
            },
            "capability_key",
            "input_payload",
        ),
        output_schema=schemas.JOB,
        run=create_job,
    ),
    Tool(
        name="kernel_get_job",
        title="Get a job",
        description="Read one of your jobs as it stands now: status, input, output, artifacts,"
        " attempts, and the error of a failed one. To wait for its end, kernel_wait_for_job is"
        " better than calling this again and again. If an answer is marked truncated, pass pointer"
        " and offset to read on. Free.",
        toolset="caller",
        read_only=True,
        idempotent=True,
        input_schema=schemas.arguments(
            {
                "job_id": schemas.JOB_ID,
                "pointer": {
                    "type": "string",
                    "description": "Only this part of the job, as a JSON Pointer, such as"
                    " /output_envelope/text.",
                },
                "offset": {
                    "type": "integer",
                    "minimum": 0,
                    "maximum": 1_000_000_000,
                    "description": "With pointer: how many characters, items or members of it to"
                    " skip.",
                },
            },
            "job_id",
        ),
        output_schema=schemas.JOB,
        run=get_job,
    ),
    Tool(
        name="kernel_wait_for_job",
        title="Wait for a job",
        description="Wait until one of your jobs has ended, and return it with its output or error."
        " A job that failed is returned too: look at status. If it has not ended within timeout,"
        " the error is job_timeout; the job goes on, so call this again with the same job_id."
        " Free.",
        toolset="caller",
        read_only=True,
        idempotent=True,
        input_schema=schemas.arguments(
            {
                "job_id": schemas.JOB_ID,
                "timeout": {
                    "type": "number",
                    "minimum": 1,
                    "maximum": 86_400,
                    "default": WAIT,
                    "description": "Seconds to wait. Many clients cut a call off at about 60.",
                },
                "poll_interval": {
                    "type": "number",
                    "minimum": 0.1,
                    "maximum": 3600,
                    "default": 3,
                    "description": "Seconds at most between two looks, where the platform does not"
                    " tell of the end itself.",
                },
            },
            "job_id",
        ),
        output_schema=schemas.JOB,
        run=wait_for_job,
    ),
    Tool(
        name="kernel_list_artifacts",
        title="List a job's artifacts",
        description="List the files that one of your jobs has produced: kind, address, type and"
        " size in bytes. Empty until the job has succeeded. Free.",
        toolset="caller",
        read_only=True,
        idempotent=True,
        input_schema=schemas.arguments({"job_id": schemas.JOB_ID}, "job_id"),
        output_schema=schemas.result(
            {
                "artifacts": schemas.array(schemas.ARTIFACT, "The files, in the job's order."),
                "truncated": schemas.TRUNCATED,
            },
            "artifacts",
        ),
        run=list_artifacts,
    ),
)
