"""Webhook deliveries: listed, and sent again or made on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from .kernel import Refusal
from .kernel.webhooks import Delivery
from .store.tables import deliveries

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import ColumnElement

    from .kernel.records import Job
    from .service import KernelService

NEWEST = 50


class Dispatches:
    """The deliveries of a kernel at work.

    Args:
        service: the kernel at work.
    """

    def __init__(self, service: KernelService) -> None:
        self._service = service

    async def newest(self, *where: ColumnElement[bool]) -> list[Delivery]:
        """The newest deliveries, at most 50, newest first."""
        await self._service.saved()
        query = select(deliveries).where(*where).order_by(deliveries.c.number.desc()).limit(NEWEST)
        return self._service.store.load(Delivery, query)

    async def trigger(self, what: str) -> list[Delivery]:
        """Send a webhook.

        Args:
            what: an event such as ``job.failed``, for which an echo job of the ready agent's is
                made and ended so; or the id of a delivery, or of a job, whose last one is repeated.

        Returns:
            What was queued.

        Raises:
            Refusal: 404 ``delivery_not_found``, 409 ``no_webhook``.
        """
        if what.startswith("job."):
            return await self._sample(what.removeprefix("job."))
        found = await self.newest((deliveries.c.id == what) | (deliveries.c.job_id == what))
        if not found:
            raise Refusal(404, "delivery_not_found", f"nothing was sent under the id {what}")
        again = self._service.kernel.webhooks.resend(found[0], self._service.clock())
        await self._service.saved()
        return [again]

    async def _sample(self, status: str) -> list[Delivery]:
        service = self._service
        agent, kernel, now = service.ready_agent, service.kernel, service.clock()
        webhook = kernel.webhooks.by_account.get(agent.account_id)
        if webhook is None or not webhook.url:
            raise Refusal(409, "no_webhook", "the ready agent's account has no webhook endpoint")
        ends: dict[str, Callable[[Job], None]] = {
            "succeeded": lambda job: kernel.settle(job, {"triggered": True}, []),
            "failed": lambda job: kernel.jobs.fail(job, now, "triggered", "failed on purpose"),
            "cancelled": lambda job: kernel.jobs.cancel(job, now),
            "expired": lambda job: kernel.jobs.time_out(job, now),
        }
        end = ends.get(status)
        if end is None:
            known = ", ".join(f"job.{known}" for known in ends)
            raise Refusal(404, "event_not_found", f"no event job.{status}; there are {known}")
        job = kernel.create_job(agent, "test.echo.v1", {"triggered": True})
        end(job)
        await service.saved()
        return await self.newest(deliveries.c.job_id == job.id)
