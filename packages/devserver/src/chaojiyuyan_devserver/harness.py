"""What a test harness does to a running kernel, and what it sees that no client does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from .kernel.wire import event_view, job_view
from .store.tables import transfers

if TYPE_CHECKING:
    from .kernel.records import Job, Json
    from .service import KernelService


class Harness:
    """Operations on jobs from outside the rules.

    Args:
        service: the kernel at work.
    """

    def __init__(self, service: KernelService) -> None:
        self._service = service

    async def job(self, job_id: str) -> Json:
        """A job with its events, what was paid for it, and how often it was settled.

        Raises:
            Refusal: 404 ``kernel_job_not_found``.
        """
        job = self._service.require_job(job_id)
        await self._service.saved()
        moved = self._service.store.read(select(transfers).where(transfers.c.job_id == job_id))
        return {
            **job_view(job),
            "agent_id": job.agent_id,
            "account_id": job.account_id,
            "events": [event_view(event) for event in job.events],
            "transfers": moved,
            "settlements": sum(transfer["kind"] == "pay" for transfer in moved),
        }

    async def expire_lease(self, job_id: str) -> None:
        """Let a running job's lease run out now.

        Raises:
            Refusal: also 409 ``not_running``.
        """
        job = self._service.require_job(job_id)
        self._service.kernel.jobs.expire_lease(job, self._service.clock())
        await self._service.saved()

    async def settle(self, job_id: str, output: Json, artifacts: list[Json]) -> Job:
        """Let a job succeed with any output, for whoever holds it, or else for its caller.

        Raises:
            Refusal: also what ``Jobs.bid`` says of a job that has ended.
        """
        job = self._service.require_job(job_id)
        self._service.kernel.settle(job, output, artifacts)
        await self._service.saved()
        return job

    async def fail(self, job_id: str, code: str, message: str) -> None:
        """Let a job fail.

        Raises:
            Refusal: also 409 ``job_ended``.
        """
        job = self._service.require_job(job_id)
        self._service.kernel.jobs.fail(job, self._service.clock(), code, message)
        await self._service.saved()

    async def cancel(self, job_id: str) -> None:
        """Cancel a job.

        Raises:
            Refusal: also 409 ``job_ended``.
        """
        job = self._service.require_job(job_id)
        self._service.kernel.jobs.cancel(job, self._service.clock())
        await self._service.saved()
