"""The page of one job, and the actions on it."""

import json
import secrets
from typing import Annotated, Literal

from fastapi import Form, Path
from starlette.responses import RedirectResponse, Response

from chaojiyuyan_devserver._store.queries import list_deliveries
from chaojiyuyan_devserver.kernel import Order, Refusal
from chaojiyuyan_devserver.kernel.records import Job, Strike

from . import artifacts, charts
from .explain import explain
from .forms import parse_object
from .page import Page, form, router
from .text import MAX_JSON
from .timeline import build_timeline

EVERY = 1
"""Seconds between two updates of a running job's page, whose bar grows."""


def _show(page: Page, job: Job, text: str | None = None, error: str = "") -> Response:
    store = page.service.store
    handlers = sum(job.capability_key in agent.handler_set for agent in page.kernel.agents.active)
    strikes = store.records(Strike, "WHERE job = ? ORDER BY rowid", job.number)
    timeline = build_timeline(job, strikes, page.now)
    written = json.dumps(job.input_envelope, indent=2, ensure_ascii=False)
    return page.render(
        "job.html",
        status=400 if error else 200,
        live=(job.id,),
        every=None if job.terminal else EVERY,
        address=f"/jobs/{job.id}",
        job=job,
        spec=page.kernel.catalog.get(job.capability_key),
        explanation=explain(job, handlers, page.language),
        timeline=timeline,
        bars=charts.place_spans(timeline),
        artifacts=[artifacts.describe(artifact) for artifact in job.artifacts],
        deliveries=list_deliveries(store, "WHERE job_id = ?", job.id),
        rerun_text=written if text is None and len(written) <= MAX_JSON else text,
        rerun_error=error,
    )


@router.get("/jobs/{job_id}")
async def job_page(page: Page, job_id: str) -> Response:
    return _show(page, page.service.require_job(job_id))


@form("/jobs/{job_id}/cancel")
async def cancel_job(page: Page, job_id: str) -> Response:
    """End a job without a result; the API has no operation for this."""
    page.kernel.jobs.cancel(page.service.require_job(job_id))
    return RedirectResponse(f"/jobs/{job_id}", 303)


@form("/jobs/{job_id}/skip")
async def skip_to_deadline(page: Page, job_id: str) -> Response:
    """Move the kernel's clock to the end of this job's lease, bid window or timeout."""
    job = page.service.require_job(job_id)
    if not job.terminal:
        await page.service.skip(max(0.0, job.deadline - page.now))
    return RedirectResponse(f"/jobs/{job_id}", 303)


@form("/jobs/{job_id}/rerun")
async def rerun_job(
    page: Page, job_id: str, text: Annotated[str | None, Form(alias="json")] = None
) -> Response:
    """Call the capability again with a job's input, unchanged or edited, and go to the new job.

    The same caller pays, or the ready agent if that caller's key is revoked.
    """
    job = page.service.require_job(job_id)
    caller = page.kernel.agents.by_id[job.agent_id]
    try:
        value = job.input_envelope if text is None else parse_object(text, page.language)
        order = Order(
            job.capability_key,
            value,
            idempotency_key=f"rerun-{secrets.token_hex(8)}",
            timeout_sec=job.timeout_sec,
            channel_context=job.channel_context,
        )
        payer = caller if caller.revoked_at is None else page.service.ready_agent
        made, _ = page.service.create_job(payer, order)
    except ValueError as error:
        return _show(page, job, text, str(error))
    except Refusal as refusal:
        errors = refusal.extra.get("validation_errors", [refusal.error])
        return _show(page, job, text, "; ".join(errors))
    return RedirectResponse(f"/jobs/{made.id}", 303)


@router.get("/jobs/{job_id}/artifacts/{place}")
async def artifact(
    page: Page, job_id: str, place: Annotated[int, Path(ge=0, lt=10_000)]
) -> Response:
    """Send the content of an artifact's ``data:`` URI, in a sandbox."""
    found = page.service.require_job(job_id).artifacts
    shown = artifacts.content(found[place]) if place < len(found) else None
    if shown is None:
        raise Refusal(404, "no_such_artifact", "There is no such artifact.")
    headers = {"Content-Security-Policy": artifacts.SANDBOX, "Cache-Control": "private"}
    return Response(shown[1], headers=headers, media_type=shown[0])


@router.get("/jobs/{job_id}/{part}.json")
async def job_part(
    page: Page, job_id: str, part: Literal["input", "context", "output", "artifacts"]
) -> Response:
    """Send a job's input, context, output or artifacts, complete and unformatted."""
    job = page.service.require_job(job_id)
    parts = {
        "input": job.input_envelope,
        "context": job.channel_context,
        "output": job.output_envelope,
        "artifacts": job.artifacts,
    }
    return Response(json.dumps(parts[part], indent=2), media_type="application/json")
