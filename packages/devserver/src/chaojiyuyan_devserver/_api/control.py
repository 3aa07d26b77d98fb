"""``/_control/…``: the operations of an operator or a test on a running kernel."""

import hmac
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Body, Request
from starlette.responses import Response

from chaojiyuyan_devserver._commands import EVENTS
from chaojiyuyan_devserver._service import KernelService
from chaojiyuyan_devserver._store.queries import list_deliveries
from chaojiyuyan_devserver._store.snapshots import SnapshotError
from chaojiyuyan_devserver.kernel import Order, Refusal, Result
from chaojiyuyan_devserver.kernel.records import Delivery, Transfer
from chaojiyuyan_devserver.kernel.views import timestamp, view_event, view_job

from .bodies import Json
from .deps import Service
from .route import ApiRoute, answer


class ControlRoute(ApiRoute):
    """A route that needs a token and refuses every request from a web page."""

    def check(self, request: Request) -> None:
        """Refuse a request without the token, and every request from a web page."""
        token = request.headers.get("x-control-token", "").encode()
        access = request.app.state.access
        tokens = [t.encode() for t in (access.control_token, access.console_token) if t]
        right = any(hmac.compare_digest(token, known) for known in tokens)
        if not right or "origin" in request.headers or "sec-fetch-site" in request.headers:
            text = "The control endpoints need the control token in X-Control-Token."
            raise Refusal(403, "control_denied", text)


router = APIRouter(prefix="/_control", include_in_schema=False, route_class=ControlRoute)
Text = Annotated[str, Body(embed=True)]
Number = Annotated[float, Body(embed=True)]


@router.get("/console")
async def read_console(request: Request) -> Response:
    """Get the console's token; null if the console needs none."""
    return answer({"token": request.app.state.access.console_token})


# -- accounts, agents and logins -----------------------------------------------------------------


@router.post("/agents")
async def create_agent(
    service: Service, name: Text, balance_nc: Annotated[int, Body(embed=True)]
) -> Response:
    """Add an agent with a new account."""
    agent, api_key = await service.create_agent(name, balance_nc=balance_nc)
    return answer({"id": agent.id, "account_id": agent.account_id, "api_key": api_key}, 201)


@router.get("/agents/ready")
async def read_ready_agent(service: Service) -> Response:
    """Get the agent whose key the kernel prints at the start, with its key."""
    return answer({**asdict(service.ready_agent), "api_key": service.ready_key})


@router.get("/accounts/{account_id}")
async def read_account(account_id: str, service: Service) -> Response:
    return answer(asdict(service.kernel.ledger.require(account_id)))


@router.post("/logins/{user_code}")
async def decide_login(
    user_code: str, service: Service, approve: Annotated[bool, Body(embed=True)]
) -> Response:
    service.kernel.logins.decide(user_code, approve, service.clock())
    return answer({})


# -- webhooks ------------------------------------------------------------------------------------


@router.put("/accounts/{account_id}/webhook")
async def configure_webhook(account_id: str, service: Service, url: Text, secret: Text) -> Response:
    """Send the account's events to a URL."""
    service.kernel.ledger.require(account_id)
    service.kernel.webhooks.configure(account_id, url, secret)
    return answer({})


@router.post("/accounts/{account_id}/webhook/rotate")
async def rotate_webhook(
    account_id: str, service: Service, secret: Text, grace: Number
) -> Response:
    """Sign the account's events with another secret."""
    webhooks = service.kernel.webhooks
    webhooks.rotate(webhooks.require(account_id), secret, grace)
    return answer({})


@router.get("/deliveries")
async def read_deliveries(service: Service) -> Response:
    await service.saved()
    return answer([asdict(delivery) for delivery in list_deliveries(service.store)])


@router.post("/trigger")
async def trigger(service: Service, what: Text) -> Response:
    """Send a webhook and list the queued deliveries.

    ``what`` is an event such as ``job.failed``, for which a job of ``test.echo.v1`` is created and
    ended with that status; or the id of a delivery, to repeat it; or the id of a job, to repeat
    its last delivery.
    """
    if what.startswith("job."):
        sent = await _send_sample(service, what)
    else:
        await service.saved()
        found = list_deliveries(service.store, "WHERE id = ? OR job_id = ?", what, what)
        if not found:
            raise Refusal(404, "delivery_not_found", f"Nothing was sent under the id {what}.")
        sent = [service.kernel.webhooks.resend(found[0])]
    return answer([asdict(delivery) for delivery in sent], 201)


async def _send_sample(service: KernelService, event: str) -> list[Delivery]:
    agent, jobs = service.ready_agent, service.kernel.jobs
    webhook = service.kernel.webhooks.by_account.get(agent.account_id)
    if webhook is None or not webhook.url:
        text = "The ready agent's account has no webhook endpoint. Set one in the console."
        raise Refusal(409, "no_webhook", text)
    if event not in EVENTS:
        text = f"There is no event {event}. The events are {', '.join(EVENTS)}."
        raise Refusal(404, "event_not_found", text)
    job = jobs.create(agent, Order("test.echo.v1", {"triggered": True}))
    if event == "job.succeeded":
        jobs.settle(job, Result({"triggered": True}))
    elif event == "job.failed":
        jobs.fail(job, "triggered", "The job failed on purpose.")
    elif event == "job.cancelled":
        jobs.cancel(job)
    else:
        jobs.time_out(job)
    await service.saved()
    return list_deliveries(service.store, "WHERE job_id = ?", job.id)


# -- jobs ----------------------------------------------------------------------------------------


@router.get("/jobs/{job_id}")
async def read_job(job_id: str, service: Service) -> Response:
    """Get a job with its events, its transfers, and how often it was settled."""
    job = service.require_job(job_id)
    await service.saved()
    transfers = service.store.records(Transfer, "WHERE job = ?", job.number)
    return answer(
        {
            **view_job(job),
            "agent_id": job.agent_id,
            "account_id": job.account_id,
            "events": [view_event(job, event) for event in job.events],
            "transfers": [asdict(transfer) for transfer in transfers],
            "settlements": sum(transfer.kind == "pay" for transfer in transfers),
        }
    )


@router.post("/jobs/{job_id}/expire-lease")
async def expire_lease(job_id: str, service: Service) -> Response:
    service.kernel.jobs.expire_lease(service.require_job(job_id))
    return answer({})


@router.post("/jobs/{job_id}/settle")
async def settle_job(
    job_id: str,
    service: Service,
    output: Annotated[Json, Body(embed=True)],
    artifacts: Annotated[list[Json], Body(embed=True)],
) -> Response:
    """End a job as succeeded, with any output."""
    service.kernel.jobs.settle(service.require_job(job_id), Result(output, artifacts))
    return answer({})


@router.post("/jobs/{job_id}/fail")
async def fail_job(job_id: str, service: Service, code: Text, message: Text) -> Response:
    service.kernel.jobs.fail(service.require_job(job_id), code, message)
    return answer({})


@router.post("/jobs/{job_id}/cancel")
async def cancel_job(job_id: str, service: Service) -> Response:
    service.kernel.jobs.cancel(service.require_job(job_id))
    return answer({})


# -- time, faults, state -------------------------------------------------------------------------


@router.post("/skip")
async def skip(
    service: Service, seconds: Annotated[float | None, Body(embed=True)] = None
) -> Response:
    """Move the clock ahead by a number of seconds, or with null to the next deadline."""
    if seconds is not None and not 0 <= seconds <= 10**9:
        raise Refusal(422, "bad_seconds", "The seconds to skip must be from 0 to 1,000,000,000.")
    skipped = await service.skip(seconds)
    return answer({"seconds": skipped, "now": timestamp(service.clock())})


@router.put("/faults")
async def set_faults(service: Service, faults: Annotated[list[str], Body(embed=True)]) -> Response:
    """Replace the faults; each counts its requests from now on."""
    try:
        service.faults.set(faults)
    except ValueError as error:
        raise Refusal(400, "bad_fault", str(error)) from None
    return answer({})


@router.post("/reset")
async def reset(service: Service) -> Response:
    """Delete everything except the ready agent and its key."""
    await service.reset()
    return answer({})


@router.get("/snapshot")
async def save_snapshot(service: Service) -> Response:
    """Get everything in one file, a snapshot."""
    return Response(await service.save_snapshot(), media_type="application/vnd.sqlite3")


@router.put("/snapshot")
async def load_snapshot(
    request: Request, service: Service, resume_webhooks: bool = False
) -> Response:
    """Replace everything with a snapshot."""
    try:
        await service.load_snapshot(await request.body(), resume_webhooks=resume_webhooks)
    except SnapshotError as error:
        raise Refusal(400, "bad_snapshot", str(error)) from None
    return answer({"api_key": service.ready_key, "counts": service.counts()})
