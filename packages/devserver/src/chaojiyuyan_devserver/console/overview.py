"""The first page: how to connect, what is there, what waits for a decision."""
# ruff: noqa: TC001 - FastAPI reads the annotations at run time

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from chaojiyuyan_devserver.api.deps import Service

from . import read
from .page import PageRoute, page

router = APIRouter(route_class=PageRoute)


@router.get("/")
async def overview(request: Request, service: Service) -> Response:
    """The overview."""
    await service.saved()
    kernel, now = service.kernel, service.clock()
    find = kernel.logins.find
    return page(
        request,
        "overview.html",
        live=("Job", "Agent", "DeviceLogin"),
        base_url=f"{request.base_url}api/v1",
        logins=[login for code in kernel.logins.by_user_code if (login := find(code, now))],
        counts=read.job_counts(service.store),
        jobs=read.jobs_page(service.store).rows[:8],
        workers=sum(bool(agent.handler_set) for agent in kernel.agents.by_id.values()),
        account=kernel.ledger.accounts[service.ready_agent.account_id],
    )


@router.get("/api/v1")
async def printed_url() -> Response:
    """The base URL that is printed at the start, opened in a browser."""
    return RedirectResponse("/", 307)
