"""The worker's operations: register, look for work, bid, hold the lease, submit."""

from __future__ import annotations

from typing import Any

from typing_extensions import NotRequired, TypedDict

from chaojiyuyan_devserver.kernel import Refusal
from chaojiyuyan_devserver.kernel.wire import OfferView, offer_view, timestamp

from .bodies import OfferQuery, Registration, Submission
from .exchange import Answer, Exchange
from .operation import Operations

operations = Operations()
HOLDER = {404: ("task_run_not_found",), 410: ("lease_expired",)}


class Registered(TypedDict):
    """The outcome of a registration."""

    registered: list[str]
    skipped_unknown: list[str]


class Offers(TypedDict):
    """The jobs on offer."""

    jobs: list[OfferView]


class Bid(TypedDict):
    """The outcome of a bid."""

    accepted: bool
    task_run_id: NotRequired[str]
    lease_expires_at: NotRequired[str]
    code: NotRequired[str]
    error: NotRequired[str]
    awarded_to_agent_id: NotRequired[str]


class Lease(TypedDict):
    """A lease held on."""

    lease_expires_at: str


class Settlement(TypedDict):
    """The outcome of a submission."""

    settled: bool
    payout_nc: NotRequired[int]
    job_status: NotRequired[str]
    code: NotRequired[str]
    error: NotRequired[str]
    validation_errors: NotRequired[list[str]]


@operations.add(
    "register",
    "POST",
    "/kernel-agents/me/capabilities",
    {201: Registered},
    {},
    body=Registration,
)
async def register(exchange: Exchange) -> Answer:
    """Add to the capabilities that this worker handles; a repeat refreshes when it was seen."""
    agent = exchange.agent
    keys = (await exchange.body(Registration)).capability_keys
    registered, skipped = exchange.service.kernel.register(agent, keys)
    return Answer({"registered": registered, "skipped_unknown": skipped}, 201)


@operations.add(
    "available",
    "GET",
    "/kernel-jobs/available",
    {200: Offers},
    {403: ("worker_not_enabled",)},
    query=OfferQuery,
    waits=True,
    assumed="A capability outside the handler set is no error: there is no work in it.",
)
async def available(exchange: Exchange) -> Answer:
    """The jobs on offer, oldest first; with ``Prefer: wait`` held until there is one."""
    service, agent, query = exchange.service, exchange.agent, exchange.query(OfferQuery)
    jobs = service.kernel.available(agent, query.capability_key, query.limit)
    if not jobs and exchange.wait is not None:
        end = service.loop.time() + exchange.wait
        async with exchange.hang_up() as gone:
            # a quicker worker may have taken what woke this one: then it waits on
            while not jobs and not gone.done() and not service.waiters.closed:
                left = end - service.loop.time()
                if left <= 0:
                    break
                await service.wait_for_offer(agent, query.capability_key, left, gone)
                jobs = service.kernel.available(agent, query.capability_key, query.limit)
    return Answer({"jobs": [offer_view(job) for job in jobs]}, headers=exchange.applied)


@operations.add(
    "bid",
    "POST",
    "/kernel-jobs/{job_id}/bid",
    {200: Bid},
    {
        403: ("worker_not_enabled", "capability_not_in_handler_set"),
        404: ("kernel_job_not_found",),
        410: ("bid_window_expired", "attempt_exhausted"),
    },
    assumed="Which of the refused bids are 200 and which 410.",
)
async def bid(exchange: Exchange) -> Answer:
    """Bid for a job: first come, first served, in one step."""
    service, agent = exchange.service, exchange.agent
    view: dict[str, Any]
    try:
        attempt = service.kernel.bid(agent, service.require_job(exchange.parameters["job_id"]))
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
    return Answer(view)


@operations.add("heartbeat", "POST", "/kernel-jobs/{job_id}/heartbeat", {200: Lease}, HOLDER)
async def heartbeat(exchange: Exchange) -> Answer:
    """Hold the lease, from now on for its full length."""
    service, agent = exchange.service, exchange.agent
    attempt = service.kernel.beat(agent, service.require_run(exchange.parameters["job_id"]))
    return Answer({"lease_expires_at": timestamp(attempt.lease_expires_at)})


@operations.add(
    "submit",
    "POST",
    "/kernel-jobs/{job_id}/submit",
    {200: Settlement},
    {**HOLDER, 422: ("validation_failed",)},
    body=Submission,
    assumed="A repeated submit answers 404; an invalid output is 422 twice in an attempt, then"
    " 200 with settled false, and the attempt is over.",
)
async def submit(exchange: Exchange) -> Answer:
    """Submit the result; the job is settled in the same transaction."""
    service, agent = exchange.service, exchange.agent
    submission = await exchange.body(Submission)
    job = service.require_run(exchange.parameters["job_id"])
    view: dict[str, Any]
    try:
        service.kernel.submit(
            agent,
            job,
            submission.output_envelope,
            submission.artifacts,
            submission.published,
        )
    except Refusal as refusal:
        if refusal.status != 200:
            raise
        view = {"settled": False, **refusal.detail()}
    else:
        view = {"settled": True, "payout_nc": job.payout_nc, "job_status": job.status}
    return Answer(view)
