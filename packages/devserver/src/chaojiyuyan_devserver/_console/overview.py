"""The first page: how to connect, current activity, and logins that wait for approval."""

from starlette.responses import RedirectResponse, Response

from chaojiyuyan_devserver._store.filters import JobFilter

from . import charts
from .jobs import STATUSES, choose_columns
from .page import Page, form, router
from .search import find_jobs

MAX_JOBS = 12
"""How many of the newest jobs the page shows."""


async def _show(page: Page, api_key: str = "") -> Response:
    kernel, service = page.kernel, page.service
    intervals = service.activity.window(page.now)
    newest = (await find_jobs(service.store, JobFilter())).rows[:MAX_JOBS]
    logins = [kernel.logins.find(code, page.now) for code in kernel.logins.by_user_code]
    return page.render(
        "overview.html",
        live=("Job", "Agent", "DeviceLogin"),
        every=10,  # the charts move with time
        address="/",
        base_url=f"{page.request.base_url}api/v1",
        api_key=api_key,
        logins=[login for login in logins if login is not None],
        counts=service.counts(),
        statuses=STATUSES,
        throughput=charts.throughput_chart(intervals, page.language),
        latency=charts.latency_chart(intervals, page.language),
        jobs=newest,
        columns=choose_columns(newest),
        workers=sum(bool(agent.handler_set) for agent in kernel.agents.active),
        account=kernel.ledger.accounts[service.ready_agent.account_id],
    )


@router.get("/")
async def overview(page: Page) -> Response:
    return await _show(page)


@form("/connect")
async def connect(page: Page) -> Response:
    """Create a key and show the commands to copy with it; no other page shows the key."""
    account_id = page.service.ready_agent.account_id
    _, api_key = await page.service.create_agent("my terminal", account_id=account_id)
    return await _show(page, api_key)


@router.get("/api/v1")
async def printed_url() -> Response:
    """Redirect from the API's base URL, which a person may open in a browser, to the console."""
    return RedirectResponse("/", 307)
