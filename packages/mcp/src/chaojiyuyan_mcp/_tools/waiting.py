"""Wait for a job: as a task when the client supports tasks, otherwise with progress reports."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from chaojiyuyan_core.models import TERMINAL_JOB_STATUSES
from chaojiyuyan_mcp._jobs import show_ended_job
from chaojiyuyan_mcp._results import Answer, ToolError
from chaojiyuyan_mcp._tasks import Task

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from chaojiyuyan_core.models import JobData

    from .tool import ToolCall

WAIT_TIMEOUT = 50
"""Default maximum seconds of a wait. Clients give up on a call after about 60."""

REPORT_INTERVAL = 5.0
"""Maximum seconds between two progress reports."""

POLL_INTERVAL = 3
"""Default maximum seconds between two polls."""


async def follow_job(
    call: ToolCall, job: JobData, *, timeout: float = WAIT_TIMEOUT
) -> Answer | Task:
    """Return the job when it has ended, or a task for the job.

    Args:
        call: The call of the tool.
        job: The last known state of the job.
        timeout: Maximum seconds to wait when the client does not support tasks.

    Raises:
        ToolError: The job has not ended in time. The code is `job_timeout`.
    """
    platform = call.services.platform
    if job["status"] in TERMINAL_JOB_STATUSES:
        return await show_ended_job(job, platform)
    if call.client.takes_tasks:
        return Task(job)
    return await wait_for_end(call, job["id"], timeout=timeout, poll_interval=POLL_INTERVAL)


async def wait_for_end(
    call: ToolCall, job_id: str, *, timeout: float, poll_interval: float
) -> Answer:
    """Wait until a job ends, with progress reports.

    Args:
        call: The call of the tool.
        job_id: The id of the job.
        timeout: Maximum seconds to wait.
        poll_interval: Maximum seconds between two polls.

    Raises:
        ToolError: The job has not ended in time. The code is `job_timeout`.
    """
    from chaojiyuyan_client.waiting import wait_for_job
    from chaojiyuyan_core.errors import JobTimeout

    platform = call.services.platform
    progress = _Progress(call, timeout)
    flow = wait_for_job(
        job_id,
        timeout=timeout,
        poll_interval=poll_interval,
        retry=platform.retry,
        now=time.monotonic,
        on_update=progress.update,
        max_hold=REPORT_INTERVAL,
    )
    try:
        async with progress.reported():
            job = await platform.run(flow)
    except JobTimeout as late:
        seen = {"job_status": progress.status} if progress.status else {}
        reason = f"; the last request failed: {late.__cause__}" if late.__cause__ else ""
        raise ToolError(
            "job_timeout",
            f"Job {job_id} has not ended within {timeout:g} s{reason}",
            hint="The job continues. Call kernel_wait_for_job again with the same job_id.",
            job_id=job_id,
            **seen,
        ) from None
    return await show_ended_job(job, platform)


class _Progress:
    """Reports the progress of a wait, at intervals and at each change of the job's status."""

    def __init__(self, call: ToolCall, timeout: float) -> None:
        self.status: str | None = None
        self._call = call
        self._timeout = timeout
        self._changed = asyncio.Event()

    def update(self, job: JobData) -> None:
        self.status = self._call.results.clean_text(job["status"])
        self._changed.set()

    @contextlib.asynccontextmanager
    async def reported(self) -> AsyncIterator[None]:
        """Report while the body runs."""
        reporting = asyncio.create_task(self._report())
        try:
            yield
        finally:
            reporting.cancel()

    async def _report(self) -> None:
        started = time.monotonic()
        while True:
            self._changed.clear()
            elapsed = time.monotonic() - started
            message = f"{self.status or 'waiting'}, {elapsed:.0f} s"
            await self._call.client.report(round(elapsed, 3), self._timeout, message)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._changed.wait(), REPORT_INTERVAL)
