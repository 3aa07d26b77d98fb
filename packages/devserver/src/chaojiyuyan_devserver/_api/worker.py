"""The worker's operations: register, poll for jobs, bid, send a heartbeat, submit."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from chaojiyuyan_devserver._service import KernelService
from chaojiyuyan_devserver._waiters import Offered
from chaojiyuyan_devserver.kernel import Refusal
from chaojiyuyan_devserver.kernel.records import Agent, Job
from chaojiyuyan_devserver.kernel.views import timestamp, view_offer

from .bodies import Bid, Lease, Offers, Registered, Registration, Settlement, Submission
from .deps import Caller, JobId, Service, Waiting
from .route import ApiRoute, answer, document

router = APIRouter(route_class=ApiRoute)
HOLDER = {404: ("task_run_not_found",), 410: ("lease_expired",)}


@router.post("/kernel-agents/me/capabilities", name="register", **document({201: Registered}))
async def register(service: Service, agent: Caller, body: Registration) -> Response:
    """Add to the worker's capabilities. Registering again updates when it was last seen."""
    registered, skipped = service.kernel.register(agent, body.capability_keys)
    return answer({"registered": registered, "skipped_unknown": skipped}, 201)


@router.get(
    "/kernel-jobs/available",
    name="available",
    **document(
        {200: Offers},
        {403: ("worker_not_enabled",)},
        assumed="A capability outside the handler set is not an error: the list is empty.",
    ),
)
async def read_offers(
    service: Service,
    agent: Caller,
    wait: Waiting,
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
    capability_key: str | None = None,
) -> Response:
    """List the offered jobs, oldest first; with ``Prefer: wait``, answer when there is one."""
    jobs = service.kernel.jobs.available(agent, capability_key, limit)
    if not jobs and wait.seconds is not None:
        end = service.loop.time() + wait.seconds
        async with wait.watch_client() as gone:
            # A faster worker may have taken the job that woke this one; it then waits on.
            while not (jobs or gone.done() or service.waiters.closed):
                left = end - service.loop.time()
                if left <= 0:
                    break
                keys = agent.handler_set if capability_key is None else [capability_key]
                await service.wait_for([Offered(key) for key in keys], left, gone)
                agent = _reread(service, agent)
                jobs = service.kernel.jobs.available(agent, capability_key, limit)
    return answer({"jobs": [view_offer(job) for job in jobs]}, headers=wait.headers)


@router.post(
    "/kernel-jobs/{job_id}/bid",
    name="bid",
    **document(
        {200: Bid},
        {
            403: ("worker_not_enabled", "capability_not_in_handler_set"),
            404: ("kernel_job_not_found",),
            410: ("bid_window_expired", "attempt_exhausted"),
        },
        assumed="Which of the refused bids are 200 and which 410.",
    ),
)
async def bid(service: Service, agent: Caller, job_id: JobId) -> Response:
    """Bid for a job. The first valid bid gets the job at once."""
    try:
        attempt = service.kernel.jobs.bid(agent, service.require_job(job_id))
    except Refusal as refusal:
        if refusal.status != 200:
            raise
        return answer({"accepted": False, **refusal.detail()})
    return answer(
        {
            "accepted": True,
            "task_run_id": attempt.task_run_id,
            "lease_expires_at": timestamp(attempt.lease_expires_at),
        }
    )


@router.post("/kernel-jobs/{job_id}/heartbeat", name="heartbeat", **document({200: Lease}, HOLDER))
async def heartbeat(service: Service, agent: Caller, job_id: JobId) -> Response:
    """Extend the lease to its full length from now."""
    attempt = service.kernel.jobs.heartbeat(agent, _require_run(service, job_id))
    return answer({"lease_expires_at": timestamp(attempt.lease_expires_at)})


@router.post(
    "/kernel-jobs/{job_id}/submit",
    name="submit",
    **document(
        {200: Settlement},
        {**HOLDER, 422: ("validation_failed",)},
        assumed="A repeated submit gets 404. An invalid output gets 422 twice in an attempt, then"
        " 200 with settled false, which ends the attempt.",
    ),
)
async def submit(service: Service, agent: Caller, job_id: JobId, body: Submission) -> Response:
    """Submit the result. The job is settled in the same transaction."""
    job = _require_run(service, job_id)
    try:
        service.kernel.jobs.submit(agent, job, body.result)
    except Refusal as refusal:
        if refusal.status != 200:
            raise
        return answer({"settled": False, **refusal.detail()})
    return answer({"settled": True, "payout_nc": job.payout_nc, "job_status": job.status})


def _require_run(service: KernelService, job_id: str) -> Job:
    job = service.find_job(job_id)
    if job is None:
        raise Refusal(404, "task_run_not_found", "This agent does not hold the job.")
    return job


def _reread(service: KernelService, agent: Agent) -> Agent:
    # The agent may be gone if a snapshot was loaded in the meantime.
    known = service.kernel.agents.by_id.get(agent.id)
    if known is None:
        raise Refusal(401, "invalid_api_key", "The agent of this key no longer exists.")
    return known
