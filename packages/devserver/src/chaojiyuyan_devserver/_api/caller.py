"""The caller's operations: call a capability, follow the job, read the catalog."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from chaojiyuyan_devserver._store.filters import JobFilter
from chaojiyuyan_devserver._store.queries import list_jobs
from chaojiyuyan_devserver._waiters import Ended
from chaojiyuyan_devserver.kernel.views import (
    EventView,
    JobSummary,
    JobView,
    SpecView,
    view_event,
    view_job,
    view_spec,
    view_summary,
)

from .bodies import Items, JobRequest
from .deps import Caller, JobId, Service, Waiting
from .route import ApiRoute, answer, document

router = APIRouter(route_class=ApiRoute)
NOT_FOUND = {404: ("kernel_job_not_found",)}


@router.post(
    "/kernel-jobs",
    name="create",
    **document(
        {201: JobSummary, 200: JobSummary},
        {400: ("unknown_capability", "invalid_input"), 402: ("insufficient_balance",)},
        assumed="The status of insufficient_balance, and the code invalid_input.",
    ),
)
async def create_job(
    request: Request, service: Service, agent: Caller, body: JobRequest
) -> Response:
    """Call a capability. 201 with a new job, or 200 with the first job of a repeated key."""
    job, is_new = service.create_job(agent, body.order)
    request.scope["made_job_id"] = job.id
    return answer(view_summary(job), 201 if is_new else 200)


@router.get(
    "/kernel-jobs",
    name="list",
    **document({200: Items[JobSummary]}, assumed="The query and the envelope; newest first."),
)
async def read_jobs(
    service: Service,
    agent: Caller,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=2**53)] = 0,
    status: str = "",
    capability_key: str = "",
) -> Response:
    """List the caller's jobs, newest first."""
    await service.saved()
    wanted = JobFilter(status, capability_key)
    jobs = list_jobs(service.store, agent.id, wanted, limit=limit, offset=offset)
    return answer({"items": [view_summary(job) for job in jobs]})


@router.get("/kernel-jobs/{job_id}", name="get", **document({200: JobView}, NOT_FOUND))
async def read_job(service: Service, agent: Caller, job_id: JobId, wait: Waiting) -> Response:
    """Get one of the caller's jobs; with ``Prefer: wait``, answer when the job has ended."""
    job = service.require_job(job_id, agent)
    if wait.seconds is not None and not job.terminal:
        async with wait.watch_client() as gone:
            await service.wait_for([Ended(job.number)], wait.seconds, gone)
        job = service.require_job(job_id, agent)
    return answer(view_job(job), headers=wait.headers)


@router.get(
    "/kernel-jobs/{job_id}/events",
    name="events",
    **document(
        {200: Items[EventView]},
        NOT_FOUND,
        assumed="The envelope, and the names and payloads of the events.",
    ),
)
async def read_events(service: Service, agent: Caller, job_id: JobId) -> Response:
    """List the events of one of the caller's jobs, oldest first."""
    job = service.require_job(job_id, agent)
    return answer({"items": [view_event(job, event) for event in job.events]})


@router.get("/capability-specs", name="catalog", **document({200: Items[SpecView]}))
async def read_catalog(service: Service, _agent: Caller, category: str | None = None) -> Response:
    """List the capabilities, all of them or those of one category."""
    specs = service.kernel.catalog.list(category)
    return answer({"items": [view_spec(spec) for spec in specs]})
