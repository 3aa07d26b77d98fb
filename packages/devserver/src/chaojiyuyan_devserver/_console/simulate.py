"""Time and faults: move the kernel's clock ahead, and make requests fail on purpose."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from fastapi import Form, Request
from starlette.responses import RedirectResponse, Response

from chaojiyuyan_devserver._api.deps import Service
from chaojiyuyan_devserver._faults import EFFECTS, ENDPOINTS, EVERY, PRESETS
from chaojiyuyan_devserver._service import KernelService
from chaojiyuyan_devserver.kernel.records import Job

from .entry import OwnForm
from .page import language_of, page, router

SKIPS = (10, 30, 300, 3600)
"""The choices of seconds to skip."""

MAX_SKIP = 30 * 86400
"""The longest time to skip at once, in seconds."""


class Deadline(NamedTuple):
    """The next time at which something changes without a request."""

    at: float  # seconds since the epoch
    kind: Literal["lease", "bid_window", "timeout", "delivery"]
    job_id: str


def find_deadline(service: KernelService) -> Deadline | None:
    """Return the next deadline of an open job or a pending delivery, or None."""
    open_jobs = [job for job in service.kernel.jobs.board.jobs.values() if not job.terminal]
    found = [Deadline(job.deadline, _kind(job), job.id) for job in open_jobs]
    found += [
        Deadline(delivery.next_try_at, "delivery", delivery.job_id)
        for delivery in service.kernel.webhooks.pending.values()
        if delivery.next_try_at is not None
    ]
    return min(found, default=None)


def _kind(job: Job) -> Literal["lease", "bid_window", "timeout"]:
    if job.deadline == job.expires_at:
        return "timeout"
    return "lease" if job.lease is not None else "bid_window"


def _page(request: Request, service: KernelService, error: str = "", text: str = "") -> Response:
    active = service.faults.texts
    return page(
        request,
        "simulate.html",
        status=400 if error else 200,
        live=("Job", "Attempt"),
        every=10,
        address="/simulate",
        skips=SKIPS,
        max_skip=MAX_SKIP,
        deadline=find_deadline(service),
        presets={name: (faults, active == [name]) for name, faults in PRESETS.items()},
        active=active,
        endpoints=(*ENDPOINTS, EVERY),
        effects=EFFECTS,
        error=error,
        text=text or "\n".join(active),
    )


@router.get("/simulate")
async def simulate(request: Request, service: Service) -> Response:
    """Show the kernel's time and its faults."""
    return _page(request, service)


@router.post("/simulate/skip", dependencies=[OwnForm])
async def skip(service: Service, seconds: Annotated[float, Form(gt=0, le=MAX_SKIP)]) -> Response:
    """Move the clock ahead."""
    await service.skip(seconds)
    return RedirectResponse("/simulate", 303)


@router.post("/simulate/skip-next", dependencies=[OwnForm])
async def skip_next(service: Service) -> Response:
    """Move the clock to the next deadline."""
    if find_deadline(service) is not None:
        await service.skip(None)
    return RedirectResponse("/simulate", 303)


@router.post("/simulate/preset", dependencies=[OwnForm])
async def set_preset(service: Service, name: Annotated[str, Form()] = "") -> Response:
    """Set the faults of a preset; without a name, remove all faults."""
    service.faults.set([name] if name in PRESETS else [])
    return RedirectResponse("/simulate", 303)


@router.post("/simulate/faults", dependencies=[OwnForm])
async def set_faults(
    request: Request, service: Service, faults: Annotated[str, Form(max_length=4000)] = ""
) -> Response:
    """Set faults that the user wrote, one in each line."""
    try:
        service.faults.set(faults.split())
    except ValueError as error:
        said = language_of(request)("simulate.bad_fault", reason=error)
        return _page(request, service, said, faults)
    return RedirectResponse("/simulate", 303)
