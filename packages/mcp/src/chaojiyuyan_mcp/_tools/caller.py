"""The tools of a caller: order a job, wait for it, and read its result."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mcp import types

from chaojiyuyan_mcp._consent import Order
from chaojiyuyan_mcp._excerpt import Excerpt, part
from chaojiyuyan_mcp._images import read_images
from chaojiyuyan_mcp._jobs import cut_artifacts, cut_job, note_cuts
from chaojiyuyan_mcp._results import Answer, ToolError, bad_arguments, translate_error

from . import schemas
from .listing import LIST_CAPABILITIES
from .tool import Tool
from .waiting import POLL_INTERVAL, WAIT_TIMEOUT, follow_job, wait_for_end

if TYPE_CHECKING:
    from chaojiyuyan_core.models import JobData

    from .tool import Outcome, ToolCall


async def create_job(call: ToolCall) -> Outcome:
    """Order a job, and wait for it when the arguments say so."""
    arguments = call.arguments
    order = Order(
        arguments["capability_key"],
        arguments["input_payload"],
        arguments.get("idempotency_key"),
    )
    return await place_order(call, order, wait=arguments.get("wait", False))


async def place_order(call: ToolCall, order: Order, *, wait: bool) -> Outcome:
    """Order a job.

    Args:
        call: The call of the tool.
        order: The order.
        wait: Whether to wait until the job ends.

    Returns:
        The job, a task of the job, or a question to the user.

    Raises:
        ToolError: Nothing was ordered, or the job has not ended. In the second case the error
            names the job.
    """
    import httpx

    from chaojiyuyan_core.errors import HebingAPIError

    job = await call.services.orders.place(order, call.client)
    if isinstance(job, types.InputRequiredResult):
        return job
    if not wait:
        return Answer(cut_job(job))
    # The whole call must end before the client gives up on it.
    left = max(1.0, WAIT_TIMEOUT - (time.monotonic() - call.began))
    try:
        return await follow_job(call, job, timeout=left)
    except (HebingAPIError, httpx.HTTPError) as fault:
        known = translate_error(fault, base_url=call.services.platform.settings.base_url)
        raise ToolError(
            known.code,
            f"Job {job['id']} was ordered, but waiting for it failed: {known.error}",
            hint=f"Do not order it again. {known.hint} Then call kernel_wait_for_job.",
            **{**known.more, "job_id": job["id"]},
        ) from fault


async def get_job(call: ToolCall) -> Outcome:
    """Return a job or a part of it."""
    arguments = call.arguments
    pointer, offset = arguments.get("pointer"), int(arguments.get("offset", 0))
    if pointer is None and offset:
        raise bad_arguments("offset needs pointer")
    job = await _read_job(call, arguments["job_id"])
    if pointer is None:
        return Answer(cut_job(job))
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
    return Answer(note_cuts(answer, excerpt))


async def wait_for_job(call: ToolCall) -> Outcome:
    """Wait for a job, and return it when it has ended."""
    from chaojiyuyan_core import api

    arguments, job_id = call.arguments, call.arguments["job_id"]
    timeout = float(arguments.get("timeout", WAIT_TIMEOUT))
    poll_interval = float(arguments.get("poll_interval", POLL_INTERVAL))
    if not call.client.takes_tasks:
        return await wait_for_end(call, job_id, timeout=timeout, poll_interval=poll_interval)
    job = await call.services.platform.request(api.get_job(job_id))
    return await follow_job(call, job)


async def list_artifacts(call: ToolCall) -> Outcome:
    """Return the artifacts of a job, and the content of the small images."""
    from chaojiyuyan_core import api

    platform = call.services.platform
    job = await platform.request(api.get_job(call.arguments["job_id"]))
    listed = job.get("artifacts")
    artifacts = listed if isinstance(listed, list) else []
    excerpt = Excerpt()
    shown = excerpt.of(cut_artifacts(artifacts, excerpt), "/artifacts")
    images = await read_images(artifacts, platform)
    return Answer(note_cuts({"artifacts": shown}, excerpt), images)


async def _read_job(call: ToolCall, job_id: str) -> JobData:
    """Return a job that this agent has ordered or claimed."""
    from chaojiyuyan_core import api
    from chaojiyuyan_core.errors import NotFoundError

    try:
        return await call.services.platform.request(api.get_job(job_id))
    except NotFoundError:
        claimed = call.services.claims.find(job_id)
        if claimed is None:
            raise
        return claimed


TOOLS = (
    LIST_CAPABILITIES,
    Tool(
        name="kernel_create_job",
        title="Create a job",
        description="Order a job for a capability; a worker does the job. COSTS CREDITS, the"
        " capability's price_nc. Returns the job at once, usually before it is done: pass its id to"
        " kernel_wait_for_job, or set wait to true. First read the capability's input_schema in the"
        " result of kernel_list_capabilities. If you may repeat the order, set idempotency_key: the"
        " same key returns the same job and is charged once.",
        toolset="caller",
        read_only=False,
        idempotent=False,
        input_schema=schemas.arguments(
            {
                "capability_key": schemas.CAPABILITY_KEY,
                "input_payload": {
                    "type": "object",
                    "description": "The input. It must fit the capability's input_schema, which"
                    " kernel_list_capabilities shows.",
                },
                "idempotency_key": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 200,
                    "description": "Any text; use the same text for every repeat of one order.",
                },
                "wait": {
                    "type": "boolean",
                    "default": False,
                    "description": "Wait until the job ends, and return it with its output.",
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
        description="Read the present state of one of your jobs: status, input, output, artifacts,"
        " attempts, and the error of a failed job. To wait for the end of a job, use"
        " kernel_wait_for_job instead of repeated calls. If a result has truncated, pass pointer"
        " and offset to read the rest. Free.",
        toolset="caller",
        read_only=True,
        idempotent=True,
        input_schema=schemas.arguments(
            {
                "job_id": schemas.JOB_ID,
                "pointer": {
                    "type": "string",
                    "description": "JSON Pointer of the part of the job to return, such as"
                    " /output_envelope/text.",
                },
                "offset": {
                    "type": "integer",
                    "minimum": 0,
                    "maximum": 1_000_000_000,
                    "description": "With pointer: number of characters, items or members to skip"
                    " in the part.",
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
        " A failed job is also returned: check status. If the job has not ended within timeout,"
        " the error is job_timeout; the job continues, so call this again with the same job_id."
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
                    "default": WAIT_TIMEOUT,
                    "description": "Maximum seconds to wait. Many clients stop after about 60.",
                },
                "poll_interval": {
                    "type": "number",
                    "minimum": 0.1,
                    "maximum": 3600,
                    "default": POLL_INTERVAL,
                    "description": "Maximum seconds between two polls when the platform does not"
                    " support long-polling.",
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
        " size in bytes. Small images are included. Empty until the job has succeeded. Free.",
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
