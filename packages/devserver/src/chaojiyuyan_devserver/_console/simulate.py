"""Time and faults: move the kernel's clock ahead, and make requests fail on purpose."""

from typing import Annotated, Literal, NamedTuple

from fastapi import Form
from starlette.responses import RedirectResponse, Response

from chaojiyuyan_devserver._faults import EFFECTS, ENDPOINTS, EVERY, PRESETS
from chaojiyuyan_devserver.kernel import Kernel
from chaojiyuyan_devserver.kernel.records import Job

from .page import Page, form, router

SKIPS = (10, 30, 300, 3600)
"""The choices of seconds to skip."""

MAX_SKIP = 30 * 86400
"""The longest time to skip at once, in seconds."""


class Deadline(NamedTuple):
    """The next time at which something changes without a request."""

    at: float  # seconds since the epoch
    kind: Literal["lease", "bid_window", "timeout", "delivery"]
    job_id: str


def find_deadline(kernel: Kernel) -> Deadline | None:
    """Return the next deadline of an open job or a pending delivery, or None."""
    open_jobs = [job for job in kernel.jobs.board.jobs.values() if not job.terminal]
    found = [Deadline(job.deadline, _kind(job), job.id) for job in open_jobs]
    found += [
        Deadline(delivery.next_try_at, "delivery", delivery.job_id)
        for delivery in kernel.webhooks.pending.values()
        if delivery.next_try_at is not None
    ]
    return min(found, default=None)


def _kind(job: Job) -> Literal["lease", "bid_window", "timeout"]:
    if job.deadline == job.expires_at:
        return "timeout"
    return "lease" if job.lease is not None else "bid_window"


def _show(page: Page, error: str = "", text: str = "") -> Response:
    active = page.service.faults.texts
    return page.render(
        "simulate.html",
        status=400 if error else 200,
        live=("Job", "Attempt"),
        every=10,
        address="/simulate",
        skips=SKIPS,
        max_skip=MAX_SKIP,
        deadline=find_deadline(page.kernel),
        presets=PRESETS,
        active=active,
        endpoints=(*ENDPOINTS, EVERY),
        effects=EFFECTS,
        error=error,
        text=text or "\n".join(active),
    )


@router.get("/simulate")
async def simulate(page: Page) -> Response:
    return _show(page)


@form("/simulate/skip")
async def skip(page: Page, seconds: Annotated[float, Form(gt=0, le=MAX_SKIP)]) -> Response:
    await page.service.skip(seconds)
    return RedirectResponse("/simulate", 303)


@form("/simulate/skip-next")
async def skip_next(page: Page) -> Response:
    if find_deadline(page.kernel) is not None:
        await page.service.skip(None)
    return RedirectResponse("/simulate", 303)


@form("/simulate/preset")
async def set_preset(page: Page, name: Annotated[str, Form()] = "") -> Response:
    """Set the faults of a preset; without a name, remove all faults."""
    page.service.faults.set([name] if name in PRESETS else [])
    return RedirectResponse("/simulate", 303)


@form("/simulate/faults")
async def set_faults(page: Page, faults: Annotated[str, Form(max_length=4000)] = "") -> Response:
    """Set faults that the user wrote, one in each line."""
    try:
        page.service.faults.set(faults.split())
    except ValueError as error:
        return _show(page, page.language("simulate.bad_fault", reason=error), faults)
    return RedirectResponse("/simulate", 303)
