"""Webhooks that are sent on request, for ``chaojiyuyan dev trigger``."""

from __future__ import annotations

from collections.abc import Callable

from chaojiyuyan_devserver._service import KernelService
from chaojiyuyan_devserver._store import list_deliveries
from chaojiyuyan_devserver.kernel import Order, Refusal, Result
from chaojiyuyan_devserver.kernel.records import Delivery, Job


async def trigger(service: KernelService, what: str) -> list[Delivery]:
    """Send a webhook and return the queued deliveries.

    Args:
        service: The running kernel.
        what: An event such as ``job.failed``, for which a job of ``test.echo.v1`` is created and
            ended with that status; or the id of a delivery, to repeat it; or the id of a job, to
            repeat its last delivery.

    Raises:
        Refusal: 404 ``delivery_not_found`` or ``event_not_found``, 409 ``no_webhook``.
    """
    if what.startswith("job."):
        return await _send_sample(service, what.removeprefix("job."))
    await service.saved()
    found = list_deliveries(service.store, "WHERE id = ? OR job_id = ?", what, what)
    if not found:
        raise Refusal(404, "delivery_not_found", f"Nothing was sent under the id {what}.")
    return [service.kernel.webhooks.resend(found[0])]


async def _send_sample(service: KernelService, status: str) -> list[Delivery]:
    agent, jobs = service.ready_agent, service.kernel.jobs
    webhook = service.kernel.webhooks.by_account.get(agent.account_id)
    if webhook is None or not webhook.url:
        text = "The ready agent's account has no webhook endpoint. Set one in the console."
        raise Refusal(409, "no_webhook", text)
    ends: dict[str, Callable[[Job], None]] = {
        "succeeded": lambda job: jobs.settle(job, Result({"triggered": True})),
        "failed": lambda job: jobs.fail(job, "triggered", "The job failed on purpose."),
        "cancelled": jobs.cancel,
        "expired": jobs.time_out,
    }
    end = ends.get(status)
    if end is None:
        known = ", ".join(f"job.{known}" for known in ends)
        raise Refusal(
            404, "event_not_found", f"There is no event job.{status}. The events are {known}."
        )
    job = jobs.create(agent, Order("test.echo.v1", {"triggered": True}))
    end(job)
    await service.saved()
    return list_deliveries(service.store, "WHERE job_id = ?", job.id)
