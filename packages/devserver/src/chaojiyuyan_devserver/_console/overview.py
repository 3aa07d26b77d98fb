"""The first page: how to connect, current activity, and logins that wait for approval."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from chaojiyuyan_devserver._api.deps import Service
from chaojiyuyan_devserver._service import KernelService

from . import charts, search
from .entry import OwnForm
from .jobs import STATUSES, choose_columns
from .page import language_of, page, router

MAX_JOBS = 12
"""How many of the newest jobs the page shows."""


async def _page(request: Request, service: KernelService, api_key: str = "") -> Response:
    kernel, now, language = service.kernel, service.clock(), language_of(request)
    find = kernel.logins.find
    intervals = service.activity.window(now)
    newest = (await search.find_jobs(service.store, search.JobFilter())).rows[:MAX_JOBS]
    return page(
        request,
        "overview.html",
        live=("Job", "Agent", "DeviceLogin"),
        every=10,  # the charts move with time
        address="/",
        base_url=f"{request.base_url}api/v1",
        api_key=api_key,
        logins=[login for code in kernel.logins.by_user_code if (login := find(code, now))],
        counts=service.counts(),
        statuses=STATUSES,
        throughput=charts.throughput_chart(intervals, language),
        latency=charts.latency_chart(intervals, language),
        jobs=newest,
        columns=choose_columns(newest),
        workers=sum(
            bool(agent.handler_set) and agent.revoked_at is None
            for agent in kernel.agents.by_id.values()
        ),
        account=kernel.ledger.accounts[service.ready_agent.account_id],
    )


@router.get("/")
async def overview(request: Request, service: Service) -> Response:
    """Show the overview."""
    return await _page(request, service)


@router.post("/connect", dependencies=[OwnForm])
async def connect(request: Request, service: Service) -> Response:
    """Create a key and show the commands to copy with it; no other page shows the key."""
    _, api_key = await service.create_agent(
        "my terminal", account_id=service.ready_agent.account_id
    )
    return await _page(request, service, api_key)


@router.get("/api/v1")
async def printed_url() -> Response:
    """Redirect from the API's base URL, which a person may open in a browser, to the console."""
    return RedirectResponse("/", 307)
