"""Jobs: the list, and one with everything about it."""
# ruff: noqa: TC001 - FastAPI reads the annotations at run time

from __future__ import annotations

import json
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from chaojiyuyan_devserver.api.deps import Service
from chaojiyuyan_devserver.kernel import Refusal
from chaojiyuyan_devserver.kernel.records import Job
from chaojiyuyan_devserver.service import KernelService

from . import read
from .csrf import OwnForm
from .page import PageRoute, page

STATUSES = ("bidding", "running", "succeeded", "failed", "cancelled", "expired")

router = APIRouter(route_class=PageRoute)

Number = Annotated["int | None", Query(ge=0, le=2**53)]


def find_job(service: KernelService, job_id: str) -> Job:
    """A job by its id.

    Raises:
        Refusal: 404 ``kernel_job_not_found``.
    """
    job = service.find_job(job_id)
    if job is None:
        raise Refusal(404, "kernel_job_not_found", "There is no such job.")
    return job


@router.get("/jobs")
async def jobs(
    request: Request,
    service: Service,
    status: str = "",
    capability: str = "",
    before: Number = None,
    after: Number = None,
) -> Response:
    """The list, newest first."""
    await service.saved()

    def url(**query: object) -> str:
        given = {"status": status, "capability": capability, **query}
        return "/jobs?" + urlencode({name: value for name, value in given.items() if value})

    return page(
        request,
        "jobs.html",
        live=("Job",),
        jobs=read.jobs_page(
            service.store, status=status, capability_key=capability, before=before, after=after
        ),
        counts=read.job_counts(service.store),
        statuses=STATUSES,
        status_now=status,
        capability=capability,
        url=url,
    )


@router.get("/jobs/{job_id}")
async def job_page(request: Request, service: Service, job_id: str) -> Response:
    """One job."""
    await service.saved()
    job = find_job(service, job_id)
    return page(
        request,
        "job.html",
        live=(job.id,),
        job=job,
        spec=service.kernel.catalog.get(job.capability_key),
        deliveries=read.recent_deliveries(service.store, job_id=job.id),
    )


@router.post("/jobs/{job_id}/cancel", dependencies=[OwnForm])
async def cancel_job(service: Service, job_id: str) -> Response:
    """End a job without a result; the API has no call for it."""
    service.kernel.jobs.cancel(find_job(service, job_id), service.clock())
    await service.saved()
    return RedirectResponse(f"/jobs/{job_id}", 303)


@router.get("/jobs/{job_id}/{part}.json")
async def job_part(
    service: Service, job_id: str, part: Literal["input", "context", "output", "artifacts"]
) -> Response:
    """A job's input, context, output or artifacts, whole and as they are."""
    job = find_job(service, job_id)
    parts = {
        "input": job.input_envelope,
        "context": job.channel_context,
        "output": job.output_envelope,
        "artifacts": job.artifacts,
    }
    return Response(json.dumps(parts[part], indent=2), media_type="application/json")
