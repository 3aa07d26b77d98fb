"""The jobs that this server holds for its client, from the award until the submit is answered."""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from chaojiyuyan_core import api
from chaojiyuyan_core.answers import error_of, value_of
from chaojiyuyan_core.errors import HebingAPIError
from chaojiyuyan_worker.leases import LeaseKeeper, Loss, boot_clock, is_gone, lease_deadline

from ._results import ToolError, bad_arguments

if TYPE_CHECKING:
    import httpx

    from chaojiyuyan_core.api import Call
    from chaojiyuyan_core.models import BidResult, JobData, SubmitResult, TaskInfo
    from chaojiyuyan_worker.leases import Lease

    from ._platform import Platform

log = logging.getLogger(__name__)

REJECTIONS = (404, 409, 410)
"""Statuses of a bid that say: not this job, others may do."""


@dataclass
class Claim:
    """A job that was awarded to this server.

    Attributes:
        lease: The hold on it.
        task_run_id: The attempt.
        job: What the platform said of it.
        submitting: A submit is on its way.
        submitted: It is settled.
        doubtful: A submit was sent and not answered: the job may be settled.
    """

    lease: Lease
    task_run_id: str
    job: JobData
    submitting: bool = False
    submitted: bool = False
    doubtful: bool = False


class Claims:
    """Bids, holds and submits. The heartbeats go out by themselves, whatever the client does."""

    def __init__(self, platform: Platform) -> None:
        """Hold nothing yet.

        Args:
            platform: Sends the calls.
        """
        self._platform = platform
        self._claims: dict[str, Claim] = {}
        self._keepers: dict[float, LeaseKeeper] = {}

    async def bid(
        self, offer: TaskInfo, *, heartbeat_interval: float, max_hold: float
    ) -> BidResult:
        """Bid for a job and, if it is awarded, hold it.

        Args:
            offer: The job.
            heartbeat_interval: Seconds between two heartbeats; a third of the lease at most.
            max_hold: Seconds after which the job is given up, submitted or not.

        Returns:
            The award, or the refusal with its `code`.

        Raises:
            HebingAPIError: The bid was refused for another reason than this job.
            httpx.HTTPError: The bid met a fault on the wire.
        """
        job_id = offer["job_id"]
        call = api.bid(job_id)
        sent = boot_clock()
        response = await self._platform.claim_transport.send(call)
        if isinstance(response, Exception):
            raise response
        try:
            result = value_of(call, response)
        except HebingAPIError as refusal:
            if refusal.status_code not in REJECTIONS:
                raise
            return {"accepted": False, "code": refusal.code or f"http_{refusal.status_code}"}
        if result["accepted"]:
            deadline = lease_deadline(result.get("lease_expires_at"), response, sent)
            third = max(deadline - boot_clock(), 0) / 3
            keeper = self._keeper(min(heartbeat_interval, third))
            lease = keeper.hold(job_id, deadline, max_hold=max_hold, on_lost=_log_loss)
            job = {"id": job_id, "status": "claimed", **offer, **result}
            self._claims[job_id] = Claim(lease, result["task_run_id"], cast("JobData", job))
        return result

    def find(self, job_id: str) -> JobData | None:
        """Return what the platform said of a job that was claimed here, or None.

        Args:
            job_id: The job.
        """
        claim = self._claims.get(job_id)
        return None if claim is None else claim.job

    async def submit(self, job_id: str, call: Call[SubmitResult]) -> tuple[str, SubmitResult]:
        """Submit a claimed job; the lease is held until the submit is answered.

        A submit that was not answered is sent again. It is never sent once the lease is lost.

        Args:
            job_id: The job.
            call: The submit of this job.

        Returns:
            The id of the task run, and the settlement.

        Raises:
            ToolError: The job is not held, or not any more, or its output was refused.
            HebingAPIError: The platform refused for another reason; the job is still held.
            httpx.HTTPError: There was no answer; the job is still held.
        """
        claim = self._held(job_id)
        claim.submitting = True
        try:
            result = await self._settle(claim, call)
        finally:
            claim.submitting = False
        if result.get("settled") is False:
            raise ToolError(
                result.get("code") or "validation_failed",
                "The platform did not accept the output",
                job_id=job_id,
                validation_errors=result.get("validation_errors", []),
            )
        claim.lease.release()
        claim.submitted = True
        return claim.task_run_id, result

    def close(self) -> None:
        """Send no heartbeat any more: what is held is re-routed when its lease expires."""
        for keeper in self._keepers.values():
            keeper.close()

    def _held(self, job_id: str) -> Claim:
        claim = self._claims.get(job_id)
        if claim is None:
            raise bad_arguments(f"Job {job_id} is not claimed here: claim it by kernel_claim_job")
        if claim.submitted:
            text = f"Job {job_id} has been submitted and settled already"
            raise bad_arguments(text, hint="Nothing is left to do for it.")
        if claim.submitting:
            text = f"Job {job_id} is just being submitted by another call"
            raise bad_arguments(text, hint="Wait for the answer to that one.")
        return claim

    async def _settle(self, claim: Claim, call: Call[SubmitResult]) -> SubmitResult:
        """Send a submit until it is answered, a few times at most."""
        # Not so by nature, but this one is sent only while nobody else can hold the job.
        call = replace(call, repeatable=True)
        retry, lease, attempt = self._platform.claim_retry, claim.lease, 0
        while True:
            if lease.lost is not None:
                raise _lost(claim, lease.lost)
            doubtful, claim.doubtful = claim.doubtful, True
            answer = await self._platform.claim_transport.send(call, lease.remaining())
            if not isinstance(answer, Exception) and is_gone(answer):
                lease.release()
                del self._claims[lease.job_id]
                raise _gone(lease.job_id, answer, doubtful=doubtful)
            if not isinstance(answer, Exception) and answer.status_code < 500:
                claim.doubtful = doubtful and answer.status_code == 429
            pause = retry.delay(call, answer, attempt, random.random())  # noqa: S311  # jitter
            if pause is None:
                break
            await asyncio.sleep(pause)
            attempt += 1
        if isinstance(answer, Exception):
            raise answer
        return value_of(call, answer)

    def _keeper(self, interval: float) -> LeaseKeeper:
        """Return the keeper of this heartbeat interval; it keeps any number of leases."""
        interval = max(round(interval, 1), 0.1)
        if interval not in self._keepers:
            self._keepers[interval] = LeaseKeeper(
                self._platform.heartbeat_transport, interval=interval
            )
        return self._keepers[interval]


def _lost(claim: Claim, loss: Loss) -> ToolError:
    code = "task_run_not_found" if loss is Loss.GONE else "lease_expired"
    text = f"The lease of job {claim.lease.job_id} was lost: {loss.value}"
    return ToolError(code, text, hint=_after_a_loss(doubtful=claim.doubtful))


def _gone(job_id: str, answer: httpx.Response, *, doubtful: bool) -> ToolError:
    error = error_of(answer)
    return ToolError(
        error.code or "task_run_not_found",
        f"The platform does not know job {job_id} as this worker's any more: {error.detail}",
        hint=_after_a_loss(doubtful=doubtful),
        status=error.status_code,
    )


def _after_a_loss(*, doubtful: bool) -> str:
    if doubtful:
        return "A submit of it got no answer, so it is probably settled: do not do it again."
    return "It goes to another worker. Drop this work and claim again."


def _log_loss(lease: Lease) -> None:
    if lease.lost is not None:
        log.warning("lost the lease of job %s: %s", lease.job_id, lease.lost.value)
