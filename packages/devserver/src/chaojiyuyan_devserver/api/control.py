"""The test harness's own endpoints, for the process that started the kernel and nobody else."""
# ruff: noqa: TC001 - FastAPI reads the annotations at run time

from __future__ import annotations

import hmac
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Request
from starlette.responses import JSONResponse, Response

from chaojiyuyan_devserver.dispatches import Dispatches
from chaojiyuyan_devserver.harness import Harness
from chaojiyuyan_devserver.kernel import Refusal
from chaojiyuyan_devserver.kernel.webhooks import Delivery

from .deps import Service


def data(value: Any, status: int = 200) -> Response:
    """A success."""
    return JSONResponse({"data": value}, status)


def guarded(request: Request) -> None:
    """Let only the holder of the control token in, and no web page even with it.

    Raises:
        Refusal: 403 ``control_denied``.
    """
    token = request.headers.get("x-control-token", "")
    right = hmac.compare_digest(token.encode(), request.app.state.control_token.encode())
    if not right or "origin" in request.headers or "sec-fetch-site" in request.headers:
        raise Refusal(403, "control_denied", "the control endpoints need the control token")


router = APIRouter(prefix="/_control", include_in_schema=False, dependencies=[Depends(guarded)])


@router.post("/agents")
async def new_agent(
    service: Service,
    name: Annotated[str, Body(embed=True)],
    balance_nc: Annotated[int, Body(embed=True)],
) -> Response:
    """Another agent in an account of its own."""
    agent, api_key = await service.create_agent(name, balance_nc=balance_nc)
    return data({"id": agent.id, "account_id": agent.account_id, "api_key": api_key}, 201)


@router.get("/agents/ready")
async def ready_agent(service: Service) -> Response:
    """The agent whose key is printed at the start."""
    return data(asdict(service.ready_agent))


@router.get("/accounts/{account_id}")
async def account(account_id: str, service: Service) -> Response:
    """An account's balance."""
    found = service.kernel.ledger.accounts.get(account_id)
    if found is None:
        raise Refusal(404, "account_not_found", "no such account")
    return data(asdict(found))


@router.put("/accounts/{account_id}/webhook")
async def webhook(
    account_id: str,
    service: Service,
    url: Annotated[str, Body(embed=True)],
    secret: Annotated[str, Body(embed=True)],
) -> Response:
    """Send the account's events to this URL."""
    service.kernel.webhooks.configure(account_id, url, secret)
    await service.saved()
    return data({})


@router.post("/logins/{user_code}")
async def decide(
    user_code: str, service: Service, approve: Annotated[bool, Body(embed=True)]
) -> Response:
    """Approve or deny a device login."""
    service.kernel.logins.decide(user_code, approve, service.clock())
    await service.saved()
    return data({})


@router.post("/accounts/{account_id}/webhook/rotate")
async def rotate(
    account_id: str,
    service: Service,
    secret: Annotated[str, Body(embed=True)],
    grace: Annotated[float, Body(embed=True)],
) -> Response:
    """Sign the account's events with another secret."""
    webhook = service.kernel.webhooks.by_account.get(account_id)
    if webhook is None:
        raise Refusal(404, "no_webhook", "the account has no webhook endpoint")
    service.kernel.webhooks.rotate(webhook, secret, service.clock(), grace)
    await service.saved()
    return data({})


@router.get("/deliveries")
async def deliveries(service: Service) -> Response:
    """The newest deliveries."""
    return data([_delivery(one) for one in await Dispatches(service).newest()])


@router.post("/trigger")
async def trigger(service: Service, what: Annotated[str, Body(embed=True)]) -> Response:
    """Send a webhook: a sample of an event, or a delivery again."""
    return data([_delivery(one) for one in await Dispatches(service).trigger(what)], 201)


def _delivery(delivery: Delivery) -> dict[str, Any]:
    return {**asdict(delivery), "body": delivery.body.decode()}


@router.get("/jobs/{job_id}")
async def job(job_id: str, service: Service) -> Response:
    """A job with everything that the kernel knows about it."""
    return data(await Harness(service).job(job_id))


@router.post("/jobs/{job_id}/expire-lease")
async def expire_lease(job_id: str, service: Service) -> Response:
    """Let a running job's lease run out."""
    await Harness(service).expire_lease(job_id)
    return data({})


@router.post("/jobs/{job_id}/settle")
async def settle(
    job_id: str,
    service: Service,
    output: Annotated[dict[str, Any], Body(embed=True)],
    artifacts: Annotated[list[dict[str, Any]], Body(embed=True)],
) -> Response:
    """Let a job succeed."""
    await Harness(service).settle(job_id, output, artifacts)
    return data({})


@router.post("/jobs/{job_id}/fail")
async def fail(
    job_id: str,
    service: Service,
    code: Annotated[str, Body(embed=True)],
    message: Annotated[str, Body(embed=True)],
) -> Response:
    """Let a job fail."""
    await Harness(service).fail(job_id, code, message)
    return data({})


@router.post("/jobs/{job_id}/cancel")
async def cancel(job_id: str, service: Service) -> Response:
    """Cancel a job."""
    await Harness(service).cancel(job_id)
    return data({})


@router.post("/advance")
async def advance(service: Service, seconds: Annotated[float, Body(embed=True)]) -> Response:
    """Move the clock."""
    await service.advance(seconds)
    return data({})


@router.put("/faults")
async def set_faults(service: Service, faults: Annotated[list[str], Body(embed=True)]) -> Response:
    """Replace the faults; each counts its requests from here on."""
    try:
        service.faults.set(faults)
    except ValueError as error:
        raise Refusal(400, "bad_fault", str(error)) from None
    return data({})


@router.post("/reset")
async def reset(service: Service) -> Response:
    """Forget everything but the ready agent and its key."""
    await service.reset()
    return data({})
