"""The caller's operations: call a capability, follow the job, read the catalog."""

from __future__ import annotations

from typing_extensions import TypedDict

from chaojiyuyan_devserver.kernel.wire import (
    EventView,
    JobSummary,
    JobView,
    SpecView,
    event_view,
    job_view,
    spec_view,
    summary_view,
)
from chaojiyuyan_devserver.store import history

from .bodies import CatalogQuery, JobQuery, JobRequest
from .exchange import Answer, Exchange
from .operation import Operations

operations = Operations()
NOT_FOUND = {404: ("kernel_job_not_found",)}


class JobList(TypedDict):
    """A page of jobs."""

    items: list[JobSummary]


class EventList(TypedDict):
    """A job's history."""

    items: list[EventView]


class SpecList(TypedDict):
    """The catalog."""

    items: list[SpecView]


@operations.add(
    "create",
    "POST",
    "/kernel-jobs",
    {201: JobSummary, 200: JobSummary},
    {400: ("unknown_capability", "invalid_input"), 402: ("insufficient_balance",)},
    body=JobRequest,
    assumed="The status of insufficient_balance, and the code invalid_input.",
)
async def create(exchange: Exchange) -> Answer:
    """Call a capability. 201 for a new job; 200 with the first one for a repeated key."""
    agent = exchange.agent
    request = await exchange.body(JobRequest)
    job, is_new = await exchange.service.create_job(
        agent,
        request.capability_key,
        request.input_payload,
        idempotency_key=request.idempotency_key,
        timeout_sec=request.timeout_sec,
        channel_context=request.channel_context,
    )
    return Answer(summary_view(job), 201 if is_new else 200)


@operations.add("get", "GET", "/kernel-jobs/{job_id}", {200: JobView}, NOT_FOUND, waits=True)
async def get(exchange: Exchange) -> Answer:
    """A job of the caller's own; with ``Prefer: wait`` held until it has ended."""
    service = exchange.service
    job = service.require_job(exchange.parameters["job_id"], exchange.agent)
    if exchange.wait is not None and not job.terminal:
        async with exchange.hang_up() as gone:
            await service.wait_for_job(job, exchange.wait, gone)
    return Answer(job_view(job), headers=exchange.applied)


@operations.add(
    "list",
    "GET",
    "/kernel-jobs",
    {200: JobList},
    {},
    query=JobQuery,
    assumed="The query and the envelope; newest first.",
)
async def list_jobs(exchange: Exchange) -> Answer:
    """The caller's own jobs, newest first."""
    agent, query = exchange.agent, exchange.query(JobQuery)
    await exchange.service.saved()
    jobs = history.list_jobs(
        exchange.service.store,
        agent_id=agent.id,
        status=query.status,
        capability_key=query.capability_key,
        limit=query.limit,
        offset=query.offset,
    )
    return Answer({"items": [summary_view(job) for job in jobs]})


@operations.add(
    "events",
    "GET",
    "/kernel-jobs/{job_id}/events",
    {200: EventList},
    NOT_FOUND,
    assumed="The envelope, and the names and payloads of the events.",
)
async def events(exchange: Exchange) -> Answer:
    """The events of a job of the caller's own, oldest first."""
    job = exchange.service.require_job(exchange.parameters["job_id"], exchange.agent)
    return Answer({"items": [event_view(event) for event in job.events]})


@operations.add("catalog", "GET", "/capability-specs", {200: SpecList}, {}, query=CatalogQuery)
async def catalog(exchange: Exchange) -> Answer:
    """What can be called, all of it or one category."""
    exchange.agent  # noqa: B018 - a key is needed, whosever it is
    specs = exchange.service.kernel.catalog.list(exchange.query(CatalogQuery).category)
    return Answer({"items": [spec_view(spec) for spec in specs]})
