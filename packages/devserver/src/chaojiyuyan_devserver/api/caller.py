"""The caller's endpoints: call a capability, follow the job, read the catalog."""
# ruff: noqa: TC001, TC002 - FastAPI reads the annotations at run time

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from chaojiyuyan_devserver.kernel.wire import event_view, job_view, spec_view, summary_view
from chaojiyuyan_devserver.store import history

from .answers import data
from .bodies import JobRequest
from .deps import Caller, Service, Wait, applied, disconnect

router = APIRouter(tags=["caller"])


@router.post("/kernel-jobs", name="create", status_code=201)
async def create(body: JobRequest, service: Service, agent: Caller) -> Response:
    """Call a capability; a repeated idempotency key gives the original job and 200."""
    job, is_new = await service.create_job(
        agent,
        body.capability_key,
        body.input_payload,
        idempotency_key=body.idempotency_key,
        timeout_sec=body.timeout_sec,
        channel_context=body.channel_context,
    )
    return data(summary_view(job), 201 if is_new else 200)


@router.get("/kernel-jobs/{job_id}", name="get")
async def get(
    job_id: str, request: Request, service: Service, agent: Caller, wait: Wait
) -> Response:
    """A job; with ``Prefer: wait`` held until it has ended."""
    job = service.require_job(job_id, agent)
    if wait is not None and not job.terminal:
        async with disconnect(request) as gone:
            await service.wait_for_job(job, wait, gone)
    view = job_view(job)
    await service.saved()
    return data(view, headers=applied(wait))


@router.get("/kernel-jobs", name="list")
async def list_jobs(
    service: Service,
    agent: Caller,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=2**53)] = 0,
    status: str | None = None,
    capability_key: str | None = None,
) -> Response:
    """The caller's own jobs, newest first."""
    await service.saved()
    jobs = history.list_jobs(
        service.store,
        agent_id=agent.id,
        status=status,
        capability_key=capability_key,
        limit=limit,
        offset=offset,
    )
    return data({"items": [summary_view(job) for job in jobs]})


@router.get("/kernel-jobs/{job_id}/events", name="events")
async def events(job_id: str, service: Service, agent: Caller) -> Response:
    """A job's events, oldest first."""
    view = [event_view(event) for event in service.require_job(job_id, agent).events]
    await service.saved()
    return data({"items": view})


@router.get("/capability-specs", name="catalog")
async def catalog(service: Service, _agent: Caller, category: str | None = None) -> Response:
    """What can be called."""
    return data({"items": [spec_view(spec) for spec in service.kernel.catalog.list(category)]})
