"""The tool that waits for a job, and tells how far it is."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from chaojiyuyan_mcp.results import ToolError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from chaojiyuyan_core.models import JobData
    from chaojiyuyan_mcp.session import Session

    from .tool import Arguments, Report

WAIT = 50
"""Seconds that a wait takes by default; clients give up on a call at about 60."""

REPORT_INTERVAL = 5.0
"""Seconds at most between two reports of a wait."""


async def waited_for(session: Session, arguments: Arguments, report: Report) -> JobData:
    """Wait for a job to end, as the client does, and report meanwhile.

    :raises ToolError: ``job_timeout``.
    """
    from chaojiyuyan_client.waiting import wait_for_job
    from chaojiyuyan_core.errors import JobTimeout
    from chaojiyuyan_core.http import Retry, run_async

    job_id, timeout = arguments["job_id"], float(arguments.get("timeout", WAIT))
    progress = _Progress(report, timeout)
    flow = wait_for_job(
        job_id,
        timeout=timeout,
        poll_interval=float(arguments.get("poll_interval", 3.0)),
        retry=Retry(),
        now=time.monotonic,
        on_update=progress.update,
        max_hold=REPORT_INTERVAL,
    )
    try:
        async with progress.told():
            return await run_async(flow, session.waiting_transport)
    except JobTimeout as late:
        seen = {"job_status": progress.status} if progress.status else {}
        reason = f"; the last request failed: {late.__cause__}" if late.__cause__ else ""
        raise ToolError(
            "job_timeout",
            f"Job {job_id} has not ended within {timeout:g} s{reason}",
            hint="It goes on. Call kernel_wait_for_job again with the same job_id.",
            job_id=job_id,
            **seen,
        ) from None


class _Progress:
    """Reports a wait at every change of the job's status, and in between."""

    def __init__(self, report: Report, timeout: float) -> None:
        self.status: str | None = None
        self._report = report
        self._timeout = timeout
        self._changed = asyncio.Event()

    def update(self, job: JobData) -> None:
        self.status = job["status"]
        self._changed.set()

    @contextlib.asynccontextmanager
    async def told(self) -> AsyncIterator[None]:
        """Report for as long as the body runs."""
        telling = asyncio.create_task(self._tell())
        try:
            yield
        finally:
            telling.cancel()

    async def _tell(self) -> None:
        started = time.monotonic()
        while True:
            self._changed.clear()
            elapsed = time.monotonic() - started
            message = f"{self.status or 'waiting'}, {elapsed:.0f} s"
            await self._report(round(elapsed, 3), self._timeout, message)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._changed.wait(), REPORT_INTERVAL)
