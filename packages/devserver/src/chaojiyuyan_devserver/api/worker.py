"""The worker's endpoints: register, look for work, bid, hold the lease, submit."""
# ruff: noqa: TC001, TC002 - FastAPI reads the annotations at run time

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from chaojiyuyan_devserver.kernel import Refusal
from chaojiyuyan_devserver.kernel.wire import offer_view, timestamp

from .answers import data
from .bodies import Registration, Submission
from .deps import Caller, Service, Wait, applied, disconnect

router = APIRouter(tags=["worker"])


@router.post("/kernel-agents/me/capabilities", name="register", status_code=201)
async def register(body: Registration, service: Service, agent: Caller) -> Response:
    """Register capabilities; a repeat refreshes ``last_seen_at``."""
    registered, skipped = service.kernel.register(agent, body.capability_keys)
    await service.saved()
    return data({"registered": registered, "skipped_unknown": skipped}, 201)


@router.get("/kernel-jobs/available", name="available")
async def available(
    request: Request,
    service: Service,
    agent: Caller,
    wait: Wait,
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
    capability_key: str | None = None,
) -> Response:
    """The jobs on offer; with ``Prefer: wait`` held until there is one."""
    jobs = service.kernel.available(agent, capability_key, limit)
    if not jobs and wait is not None:
        loop = service.loop
        end = loop.time() + wait
        async with disconnect(request) as gone:
            # another worker may have been quicker: then wait on
            while not jobs and not gone.done() and not service.waiters.closed:
                left = end - loop.time()
                if left <= 0:
                    break
                await service.wait_for_offer(agent, capability_key, left, gone)
                jobs = service.kernel.available(agent, capability_key, limit)
    view = [offer_view(job) for job in jobs]
    await service.saved()
    return data({"jobs": view}, headers=applied(wait))


@router.post("/kernel-jobs/{job_id}/bid", name="bid")
async def bid(job_id: str, service: Service, agent: Caller) -> Response:
    """Bid for a job: first come, first served, in one step."""
    try:
        attempt = service.kernel.bid(agent, service.require_job(job_id))
    except Refusal as refusal:
        if refusal.status != 200:
            raise
        view = {"accepted": False, **refusal.detail()}
    else:
        view = {
            "accepted": True,
            "task_run_id": attempt.task_run_id,
            "lease_expires_at": timestamp(attempt.lease_expires_at),
        }
    await service.saved()
    return data(view)


@router.post("/kernel-jobs/{job_id}/heartbeat", name="heartbeat")
async def heartbeat(job_id: str, service: Service, agent: Caller) -> Response:
    """Hold the lease from now on for its full length."""
    attempt = service.kernel.beat(agent, service.require_run(job_id))
    view = {"lease_expires_at": timestamp(attempt.lease_expires_at)}
    await service.saved()
    return data(view)


@router.post("/kernel-jobs/{job_id}/submit", name="submit")
async def submit(job_id: str, body: Submission, service: Service, agent: Caller) -> Response:
    """Submit the result; the job is settled in the same transaction."""
    job = service.require_run(job_id)
    try:
        service.kernel.submit(agent, job, body.output_envelope, body.artifacts)
        view = {"settled": True, "payout_nc": job.payout_nc, "job_status": job.status}
    except Refusal as refusal:
        if refusal.status not in (200, 422):
            raise
        await service.saved()
        if refusal.status == 422:
            raise
        view = {"settled": False, **refusal.detail()}
    await service.saved()
    return data(view)
