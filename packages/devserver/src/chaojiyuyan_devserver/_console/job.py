"""The page of one job, and the actions on it."""

from __future__ import annotations

import json
import secrets
from typing import Annotated, Literal

from fastapi import Form, Path, Request
from starlette.responses import RedirectResponse, Response

from chaojiyuyan_devserver._api.deps import Service
from chaojiyuyan_devserver._service import KernelService
from chaojiyuyan_devserver._store import list_deliveries, list_strikes
from chaojiyuyan_devserver.kernel import Order, Refusal
from chaojiyuyan_devserver.kernel.records import Job

from . import artifacts, charts
from .entry import OwnForm
from .explain import explain
from .forms import parse_object
from .page import language_of, page, router
from .text import MAX_JSON
from .timeline import build_timeline

EVERY = 1
"""Seconds between two updates of a running job's page, whose bar grows."""


def _page(
    request: Request, service: KernelService, job: Job, text: str | None = None, error: str = ""
) -> Response:
    language = language_of(request)
    agents = service.kernel.agents.by_id.values()
    handlers = sum(a.revoked_at is None and job.capability_key in a.handler_set for a in agents)
    timeline = build_timeline(job, list_strikes(service.store, job.number), service.clock())
    written = json.dumps(job.input_envelope, indent=2, ensure_ascii=False)
    return page(
        request,
        "job.html",
        status=400 if error else 200,
        live=(job.id,),
        every=None if job.terminal else EVERY,
        address=f"/jobs/{job.id}",
        job=job,
        spec=service.kernel.catalog.get(job.capability_key),
        explanation=explain(job, handlers, language),
        timeline=timeline,
        bars=charts.place_spans(timeline),
        artifacts=[artifacts.describe(artifact) for artifact in job.artifacts],
        deliveries=list_deliveries(service.store, "WHERE job_id = ?", job.id),
        rerun_text=written if text is None and len(written) <= MAX_JSON else text,
        rerun_error=error,
    )


@router.get("/jobs/{job_id}")
async def job_page(request: Request, service: Service, job_id: str) -> Response:
    """Show one job."""
    return _page(request, service, service.require_job(job_id))


@router.post("/jobs/{job_id}/cancel", dependencies=[OwnForm])
async def cancel_job(service: Service, job_id: str) -> Response:
    """End a job without a result; the API has no operation for this."""
    service.kernel.jobs.cancel(service.require_job(job_id))
    return RedirectResponse(f"/jobs/{job_id}", 303)


@router.post("/jobs/{job_id}/skip", dependencies=[OwnForm])
async def skip_to_deadline(service: Service, job_id: str) -> Response:
    """Move the kernel's clock to the end of this job's lease, bid window or timeout."""
    job = service.require_job(job_id)
    if not job.terminal:
        await service.skip(max(0.0, job.deadline - service.clock()))
    return RedirectResponse(f"/jobs/{job_id}", 303)


@router.post("/jobs/{job_id}/rerun", dependencies=[OwnForm])
async def rerun_job(
    request: Request,
    service: Service,
    job_id: str,
    text: Annotated[str | None, Form(alias="json")] = None,
) -> Response:
    """Call the capability again with a job's input, unchanged or edited, and go to the new job.

    The same caller pays, or the ready agent if that caller's key is revoked.
    """
    job = service.require_job(job_id)
    caller = service.kernel.agents.by_id[job.agent_id]
    try:
        value = job.input_envelope if text is None else parse_object(text, language_of(request))
        order = Order(
            job.capability_key,
            value,
            idempotency_key=f"rerun-{secrets.token_hex(8)}",
            timeout_sec=job.timeout_sec,
            channel_context=job.channel_context,
        )
        payer = caller if caller.revoked_at is None else service.ready_agent
        made, _ = service.create_job(payer, order)
    except ValueError as error:
        return _page(request, service, job, text, str(error))
    except Refusal as refusal:
        errors = refusal.extra.get("validation_errors", [refusal.error])
        return _page(request, service, job, text, "; ".join(errors))
    return RedirectResponse(f"/jobs/{made.id}", 303)


@router.get("/jobs/{job_id}/artifacts/{place}")
async def artifact(
    service: Service, job_id: str, place: Annotated[int, Path(ge=0, lt=10_000)]
) -> Response:
    """Send the content of an artifact's ``data:`` URI, in a sandbox."""
    found = service.require_job(job_id).artifacts
    shown = artifacts.content(found[place]) if place < len(found) else None
    if shown is None:
        raise Refusal(404, "no_such_artifact", "There is no such artifact.")
    headers = {"Content-Security-Policy": artifacts.SANDBOX, "Cache-Control": "private"}
    return Response(shown[1], headers=headers, media_type=shown[0])


@router.get("/jobs/{job_id}/{part}.json")
async def job_part(
    service: Service, job_id: str, part: Literal["input", "context", "output", "artifacts"]
) -> Response:
    """Send a job's input, context, output or artifacts, complete and unformatted."""
    job = service.require_job(job_id)
    parts = {
        "input": job.input_envelope,
        "context": job.channel_context,
        "output": job.output_envelope,
        "artifacts": job.artifacts,
    }
    return Response(json.dumps(parts[part], indent=2), media_type="application/json")
