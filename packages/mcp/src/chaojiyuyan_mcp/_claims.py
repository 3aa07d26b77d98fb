"""Hold jobs for the client, from the award until the platform has answered the submit."""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, cast

from chaojiyuyan_core import api
from chaojiyuyan_core.answers import Award, BidRefused, read_bid
from chaojiyuyan_core.submission import SubmitOutcome, submit_until_settled
from chaojiyuyan_worker.leases import LeaseKeeper, Loss, boot_clock

from ._results import ToolError, bad_arguments

if TYPE_CHECKING:
    from chaojiyuyan_core.api import Call
    from chaojiyuyan_core.models import BidResult, JobData, SubmitResult, TaskInfo
    from chaojiyuyan_core.submission import Submission
    from chaojiyuyan_worker.leases import Lease

    from ._platform import Platform

log = logging.getLogger(__name__)

SUBMIT_SECONDS = 6.0
"""Maximum seconds for all attempts of a submit. After that, the call fails, but the job is held."""

MAX_REMEMBERED_CLAIMS = 10_000
"""Maximum number of claims before the oldest that has ended is forgotten."""


@dataclass
class Claim:
    """A job that was awarded to this server.

    Attributes:
        lease: The lease of the job.
        task_run_id: The id of the attempt.
        job: The data of the job from the offer and the award.
        submitting: Whether a submit is being sent.
        submitted: Whether the job is settled.
        doubtful: Whether a submit got no answer, so that the job may be settled.
    """

    lease: Lease
    task_run_id: str
    job: JobData
    submitting: bool = False
    submitted: bool = False
    doubtful: bool = False

    def drop_input(self, status: str) -> None:
        """Keep only the id of the job, because its input may be large.

        Args:
            status: The new status of the job, for people.
        """
        self.job = cast("JobData", {"id": self.lease.job_id, "status": status})


class Claims:
    """Bids for jobs, holds them and submits them. Heartbeats are sent in the background."""

    def __init__(self, platform: Platform) -> None:
        """Create an object that holds no jobs yet.

        Args:
            platform: Sends the requests.
        """
        self._platform = platform
        self._claims: dict[str, Claim] = {}
        self._keeper: LeaseKeeper | None = None

    async def bid(
        self, offer: TaskInfo, *, heartbeat_interval: float, max_hold: float, timeout: float
    ) -> BidResult:
        """Bid for a job, and hold it when it is awarded.

        The request is ``POST /kernel-jobs/{id}/bid``.

        Args:
            offer: The offer of the job.
            heartbeat_interval: Maximum seconds between two heartbeats. The interval is never
                longer than a third of the lease.
            max_hold: Seconds after which the job is given up when it is not submitted.
            timeout: Maximum seconds for the request.

        Returns:
            The award, or the refusal with its `code`.

        Raises:
            HebingAPIError: The platform refused the bid for a reason that is not about this job.
            httpx.HTTPError: The connection failed.
        """
        job_id = offer["job_id"]
        sent = boot_clock()
        reply = await self._platform.send(api.bid(job_id), timeout)
        reading = read_bid(reply, datetime.now(timezone.utc))
        if isinstance(reading, BidRefused) and not reading.is_unregistered:
            fields = cast("BidResult", reading.fields)
            return {**fields, "accepted": False, "code": reading.code}
        if not isinstance(reading, Award):
            raise reply.error() if isinstance(reading, BidRefused) else reading.error
        if self._keeper is None:
            self._keeper = LeaseKeeper(self._platform.heartbeat_transport)
        lease = self._keeper.hold(
            job_id,
            sent,
            reading.lease_seconds,
            interval=min(heartbeat_interval, reading.lease_seconds / 3),
            max_hold=max_hold,
            on_lost=self._note_loss,
        )
        job = {"id": job_id, "status": "claimed", **offer, **reading.result}
        task_run_id = reading.result["task_run_id"]
        self._claims[job_id] = Claim(lease, task_run_id, cast("JobData", job))
        self._forget_oldest()
        return reading.result

    def find(self, job_id: str) -> JobData | None:
        """Return the data of a job that was claimed here, or None.

        Args:
            job_id: The id of the job.
        """
        claim = self._claims.get(job_id)
        return None if claim is None else claim.job

    async def submit(self, job_id: str, call: Call[SubmitResult]) -> tuple[str, SubmitResult]:
        """Submit a claimed job. The lease is held until the platform answers.

        A submit without an answer is retried. Nothing is sent after the lease was lost.

        Args:
            job_id: The id of the job.
            call: The submit request of this job.

        Returns:
            The id of the task run, and the settlement.

        Raises:
            ToolError: The job is not held or no longer held, or its output was refused.
            HebingAPIError: The platform refused for another reason. The job is still held.
            httpx.HTTPError: There was no answer. The job is still held.
        """
        claim = self._held(job_id)
        claim.submitting = True
        try:
            flow = submit_until_settled(
                call,
                claim.lease,
                clock=boot_clock,
                draw=random.random,
                max_seconds=SUBMIT_SECONDS,
                may_be_settled=claim.doubtful,
            )
            ended = await self._platform.run(flow)
        finally:
            claim.submitting = False
        claim.doubtful = ended.may_be_settled
        if ended.result is None:
            raise self._explain(claim, ended)
        claim.lease.release()
        claim.submitted = True
        claim.drop_input("submitted")
        return claim.task_run_id, ended.result

    def close(self) -> None:
        """Stop the heartbeats. The platform re-routes the held jobs when their leases expire."""
        if self._keeper is not None:
            self._keeper.close()

    def _note_loss(self, lease: Lease) -> None:
        """Log a lost lease, and drop the input of its job. Called on a thread of the keeper."""
        if lease.lost is not None:
            log.warning("lost the lease of job %s: %s", lease.job_id, lease.lost.value)
        claim = self._claims.get(lease.job_id)
        if claim is not None and claim.lease is lease:
            claim.drop_input("lost")

    def _forget_oldest(self) -> None:
        if len(self._claims) > MAX_REMEMBERED_CLAIMS:
            ended = (
                job_id
                for job_id, claim in self._claims.items()
                if claim.submitted or claim.lease.lost is not None
            )
            self._claims.pop(next(ended, ""), None)

    def _held(self, job_id: str) -> Claim:
        claim = self._claims.get(job_id)
        if claim is None:
            raise bad_arguments(f"Job {job_id} is not claimed here. Claim it with kernel_claim_job")
        if claim.submitted:
            text = f"Job {job_id} was already submitted and settled"
            raise bad_arguments(text, hint="There is nothing more to do for it.")
        if claim.submitting:
            text = f"Another call is submitting job {job_id} now"
            raise bad_arguments(text, hint="Wait for the result of that call.")
        return claim

    def _explain(self, claim: Claim, ended: Submission) -> Exception:
        """Return the error for a submit that did not settle its job."""
        lease = claim.lease
        if ended.refusal is not None:
            return ToolError(
                ended.refusal.code,
                "The platform did not accept the output",
                job_id=lease.job_id,
                validation_errors=ended.refusal.validation_errors,
            )
        if ended.outcome is SubmitOutcome.GIVEN_UP:
            return ended.error or RuntimeError("the submit was not sent")
        hint = _hint_after_a_loss(ended)
        if lease.lost is not None:
            code = "task_run_not_found" if lease.lost is Loss.GONE else "lease_expired"
            text = f"The lease of job {lease.job_id} was lost: {lease.lost.value}"
            return ToolError(code, text, hint=hint)
        lease.release()
        del self._claims[lease.job_id]
        detail = getattr(ended.error, "detail", ended.error)
        return ToolError(
            getattr(ended.error, "code", None) or "task_run_not_found",
            f"Job {lease.job_id} no longer belongs to this worker: {detail}",
            hint=hint,
            status=getattr(ended.error, "status_code", None),
        )


def _hint_after_a_loss(ended: Submission) -> str:
    if ended.outcome is SubmitOutcome.PROBABLY_SETTLED:
        return "A submit got no answer, so the job is probably settled. Do not do it again."
    if ended.may_be_settled:
        return "A submit got no answer, so the job may be settled. Drop this work and claim again."
    return "The job goes to another worker. Drop this work and claim again."
