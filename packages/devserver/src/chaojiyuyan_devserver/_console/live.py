"""Server-sent events that tell a page that its content has changed.

A page names its topics in ``/live?on=…``: kinds of records (``Job``, ``Agent``, …) or a job's id.
On each event it requests itself again and morphs its live part, so it does not poll.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Query
from starlette.responses import Response, StreamingResponse

from chaojiyuyan_devserver._service import KernelService
from chaojiyuyan_devserver._waiters import Changed

from .page import Page, router

MIN_INTERVAL = 0.2
"""Minimum seconds between two events, so that a busy kernel does not flood a page."""

QUIET_TIMEOUT = 15.0
"""Seconds between keep-alive comments, which reveal that a page was closed."""


@router.get("/live")
async def live(page: Page, on: Annotated[list[str], Query(max_length=8)]) -> Response:
    """Send the stream of events for a page."""
    service = page.service
    return StreamingResponse(
        _events(service, [_topic(service, name) for name in on]),
        headers={"Cache-Control": "no-store"},
        media_type="text/event-stream",
    )


def _topic(service: KernelService, name: str) -> Changed:
    job = service.find_job(name) if name.startswith("job_") else None
    return Changed(name if job is None else job.number)


async def _events(service: KernelService, topics: list[Changed]) -> AsyncIterator[str]:
    # the first event is sent at once: something may have changed since the page was rendered
    message = "event: changed\ndata:\n\n"
    while not service.waiters.closed:
        with service.waiters.waiting(topics) as woken:
            yield message
            await asyncio.sleep(MIN_INTERVAL)
            await asyncio.wait({woken}, timeout=QUIET_TIMEOUT)
            message = "event: changed\ndata:\n\n" if woken.done() else ": still here\n\n"
