"""The life of a job: bidding, running under a lease, settled, re-routed or ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .board import Board
from .errors import Refusal
from .records import Agent, Attempt, Event, Job, Json, Payload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from chaojiyuyan_devserver.catalog import Spec

    from .ledger import Ledger


@dataclass(frozen=True, slots=True)
class Rules:
    """The kernel's limits. Seconds, and counts.

    Args:
        lease: how long an award or a heartbeat holds a job.
        bid_window: how long a job is offered before it expires.
        attempts: how many awards a job gets.
        rejections: how many invalid outputs an attempt may submit.
        timeout: a job's whole time where the caller names none.
    """

    lease: float = 30.0
    bid_window: float = 600.0
    attempts: int = 3
    rejections: int = 3
    timeout: int = 3600


class Jobs:
    """Every step that a job can take. The jobs that have not ended are on the ``board``.

    Args:
        rules: the limits.
        ledger: holds, releases and pays the prices.
        new_id: makes an id that starts with the given prefix.
        on_change: told of every record that changed.
    """

    def __init__(
        self,
        rules: Rules,
        ledger: Ledger,
        new_id: Callable[[str], str],
        on_change: Callable[[Job | Attempt | Event | Payload], None],
    ) -> None:
        self.rules = rules
        self.board = Board()
        self._ledger = ledger
        self._new_id = new_id
        self._on_change = on_change
        self._number = 0

    def restore(self, jobs: Iterable[Job], last_number: int) -> None:
        """Take over stored jobs that have not ended."""
        self._number = last_number
        for job in jobs:
            self.board.add(job)
            if job.status == "bidding":
                self.board.offer(job)
            self.board.watch(job)

    # -- the caller ------------------------------------------------------------------------------

    def create(
        self,
        agent: Agent,
        spec: Spec,
        input_envelope: Json,
        now: float,
        *,
        idempotency_key: str | None = None,
        timeout_sec: int | None = None,
        channel_context: Json | None = None,
    ) -> Job:
        """Make a job, hold its price and offer it.

        Raises:
            Refusal: 400 ``invalid_input``, 402 ``insufficient_balance``.
        """
        errors = spec.input_errors(input_envelope)
        if errors:
            raise Refusal(
                400,
                "invalid_input",
                f"the input does not fit {spec.capability_key}: {errors[0]}",
                validation_errors=errors,
            )
        timeout = self.rules.timeout if timeout_sec is None else timeout_sec
        job_id = self._new_id("job")
        self._ledger.hold(self._new_id("trf"), now, agent.account_id, spec.price_nc, job_id)
        self._number += 1
        job = Job(
            id=job_id,
            number=self._number,
            agent_id=agent.id,
            account_id=agent.account_id,
            capability_key=spec.capability_key,
            capability_spec_id=spec.id,
            price_nc=spec.price_nc,
            input_envelope=input_envelope,
            channel_context=channel_context,
            idempotency_key=idempotency_key,
            timeout_sec=timeout,
            created_at=now,
            expires_at=now + timeout,
            bid_expires_at=now,
        )
        self.board.add(job)
        self._on_change(Payload(job.id, "input", input_envelope))
        if channel_context is not None:
            self._on_change(Payload(job.id, "context", channel_context))
        self._event(job, "job.created", now, price_nc=job.price_nc)
        self._open_bidding(job, now)
        return job

    def cancel(self, job: Job, now: float) -> None:
        """End a job without a result and give its price back."""
        self._end(job, "cancelled", now, "cancelled", "the job was cancelled")

    # -- the worker ------------------------------------------------------------------------------

    def bid(self, job: Job, agent: Agent, now: float) -> Attempt:
        """Award the job to the first who bids.

        Raises:
            Refusal: 200 ``already_awarded`` or ``not_in_bidding`` (a bid that came too late is no
                error), 410 ``bid_window_expired`` or ``attempt_exhausted``.
        """
        if job.status == "running":
            raise Refusal(
                200,
                "already_awarded",
                "another worker has the job",
                awarded_to_agent_id=job.attempts[-1].agent_id,
            )
        if job.error_code in ("bid_window_expired", "attempt_exhausted"):
            raise Refusal(410, job.error_code, job.error_message or job.error_code)
        if job.status != "bidding":
            raise Refusal(200, "not_in_bidding", f"the job is {job.status}")
        attempt = Attempt(
            job_id=job.id,
            number=len(job.attempts) + 1,
            task_run_id=self._new_id("run"),
            agent_id=agent.id,
            started_at=now,
            lease_expires_at=now + self.rules.lease,
        )
        self.board.withdraw(job)
        job.status = "running"
        job.attempts.append(attempt)
        self._on_change(attempt)
        self.board.watch(job)
        self._event(
            job,
            "job.awarded",
            now,
            task_run_id=attempt.task_run_id,
            agent_id=agent.id,
            attempt=attempt.number,
        )
        return attempt

    def beat(self, job: Job, agent: Agent, now: float) -> Attempt:
        """Hold the lease from now on for its full length.

        Raises:
            Refusal: 404 ``task_run_not_found``, 410 ``lease_expired``.
        """
        attempt = self._leased(job, agent)
        attempt.lease_expires_at = now + self.rules.lease
        attempt.beats += 1
        self._on_change(attempt)
        return attempt

    def submit(
        self,
        job: Job,
        agent: Agent,
        spec: Spec | None,
        output: Json,
        artifacts: list[Json],
        now: float,
        published: Json | None = None,
    ) -> None:
        """Settle: store the result and pay the worker, in one step.

        Args:
            job: the job.
            agent: who submits.
            spec: what the output must fit; None takes any.
            output: the result.
            artifacts: what belongs to it.
            now: the time.
            published: under which licence and tags the artifacts are published, if they are.

        Raises:
            Refusal: 404 ``task_run_not_found``, 410 ``lease_expired``; ``validation_failed`` as
                422 while the attempt may try again, else as 200 with ``settled`` false.
        """
        attempt = self._leased(job, agent)
        errors = spec.output_errors(output) if spec is not None else []
        if errors:
            raise self._reject(job, attempt, errors, now)
        job.output_envelope = output
        self._on_change(Payload(job.id, "output", output))
        job.artifacts = [{**artifact, "id": self._new_id("art")} for artifact in artifacts]
        if job.artifacts:
            self._on_change(Payload(job.id, "artifacts", job.artifacts))
        job.payout_nc = job.price_nc
        self._close(attempt, "succeeded", now)
        self._ledger.pay(
            self._new_id("trf"), now, job.account_id, agent.account_id, job.price_nc, job.id
        )
        payload: Json = {"payout_nc": job.payout_nc}
        if published is not None:
            payload["published"] = published
        self._finish(job, "succeeded", now, payload)

    def fail(self, job: Job, now: float, code: str, message: str) -> None:
        """End a job as failed and give its price back."""
        self._end(job, "failed", now, code, message)

    # -- time ------------------------------------------------------------------------------------

    def expire(self, now: float) -> None:
        """End what is over: leases, bid windows, timeouts."""
        while (job := self.board.due(now)) is not None:
            if now >= job.expires_at:
                self.time_out(job, now)
            elif job.lease is not None:
                self._lose(job, job.lease, now, "lease_expired")
            else:
                self._end(job, "expired", now, "bid_window_expired", "no worker took the job")

    def time_out(self, job: Job, now: float) -> None:
        """End a job whose time is over and give its price back."""
        self._end(job, "expired", now, "timeout", f"no result in {job.timeout_sec} s")

    def expire_lease(self, job: Job, now: float) -> None:
        """Let a running job's lease run out now.

        Raises:
            Refusal: 409 ``not_running``.
        """
        if job.lease is None:
            raise Refusal(409, "not_running", f"the job is {job.status}")
        job.lease.lease_expires_at = now
        self._lose(job, job.lease, now, "lease_expired")

    # -- steps -----------------------------------------------------------------------------------

    def _leased(self, job: Job, agent: Agent) -> Attempt:
        last = job.attempts[-1] if job.attempts else None
        if last is None or last.agent_id != agent.id or last.status == "succeeded":
            raise Refusal(404, "task_run_not_found", "this agent does not hold the job")
        if last.status != "running":
            raise Refusal(410, "lease_expired", "the lease ran out")
        return last

    def _reject(self, job: Job, attempt: Attempt, errors: list[str], now: float) -> Refusal:
        attempt.rejections += 1
        self._on_change(attempt)
        self._event(job, "job.output_rejected", now, validation_errors=errors)
        text = f"the output does not fit {job.capability_key}: {errors[0]}"
        if attempt.rejections < self.rules.rejections:
            return Refusal(422, "validation_failed", text, validation_errors=errors)
        self._lose(job, attempt, now, "validation_failed")
        return Refusal(200, "validation_failed", text, validation_errors=errors)

    def _lose(self, job: Job, attempt: Attempt, now: float, reason: str) -> None:
        self._close(attempt, reason, now)
        self._event(job, "job.attempt_lost", now, attempt=attempt.number, reason=reason)
        if len(job.attempts) < self.rules.attempts:
            self._open_bidding(job, now)
        else:
            text = f"{len(job.attempts)} attempts, none succeeded; the last: {reason}"
            self._end(job, "failed", now, "attempt_exhausted", text)

    def _open_bidding(self, job: Job, now: float) -> None:
        job.status = "bidding"
        job.bid_expires_at = min(now + self.rules.bid_window, job.expires_at)
        self.board.offer(job)
        self.board.watch(job)
        self._event(job, "job.bidding", now)

    def _end(self, job: Job, status: str, now: float, code: str, message: str) -> None:
        if job.terminal:
            raise Refusal(409, "job_ended", f"the job is {job.status}")
        job.error_code = code
        job.error_message = message
        if job.lease is not None:
            self._close(job.lease, status, now)
        self.board.withdraw(job)
        self._ledger.release(self._new_id("trf"), now, job.account_id, job.price_nc, job.id)
        self._finish(job, status, now, {"error_code": code})

    def _finish(self, job: Job, status: str, now: float, payload: Json) -> None:
        job.status = status
        job.completed_at = now
        self._event(job, f"job.{status}", now, **payload)

    def _close(self, attempt: Attempt, status: str, now: float) -> None:
        attempt.status = status
        attempt.ended_at = now
        self._on_change(attempt)

    def _event(self, job: Job, event_type: str, now: float, **payload: object) -> None:
        event = Event(self._new_id("evt"), job.id, len(job.events) + 1, event_type, now, payload)
        job.events.append(event)
        self._on_change(event)
        self._on_change(job)
