"""The test harness's own endpoints, for the process that started the kernel and nobody else."""
# ruff: noqa: TC001 - FastAPI reads the annotations at run time

from __future__ import annotations

import hmac
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Request
from starlette.responses import JSONResponse, Response

from chaojiyuyan_devserver.kernel import Refusal

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


@router.get("/jobs/{job_id}")
async def job(job_id: str, service: Service) -> Response:
    """A job with everything that the kernel knows about it."""
    return data(await service.job_internals(job_id))


@router.post("/jobs/{job_id}/expire-lease")
async def expire_lease(job_id: str, service: Service) -> Response:
    """Let a running job's lease run out."""
    await service.expire_lease(job_id)
    return data({})


@router.post("/jobs/{job_id}/settle")
async def settle(
    job_id: str,
    service: Service,
    output: Annotated[dict[str, Any], Body(embed=True)],
    artifacts: Annotated[list[dict[str, Any]], Body(embed=True)],
) -> Response:
    """Settle a job, for whoever holds it or else for the kernel's own agent."""
    await service.settle(job_id, output, artifacts)
    return data({})


@router.post("/jobs/{job_id}/end")
async def end(
    job_id: str,
    service: Service,
    status: Annotated[str, Body(embed=True)],
    code: Annotated[str, Body(embed=True)],
    message: Annotated[str, Body(embed=True)],
) -> Response:
    """End a job as failed or cancelled."""
    await service.end(job_id, status, code, message)
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
    """Forget all jobs, logins, deliveries and registrations; keys and accounts stay."""
    await service.reset()
    return data({})
