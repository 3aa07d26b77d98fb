"""The transitions of a job: offered, awarded, rejected, lost, settled, ended."""

from .board import Board
from .errors import Refusal
from .ledger import Ledger
from .records import Agent, Attempt, Event, Job, Json, Payload, Result
from .rules import World
from .webhooks import Webhooks


class Lifecycle:
    """Moves jobs from one status to the next, with their events, their money and their webhooks.

    ``Jobs`` checks who may do what.

    Args:
        world: The parts that the whole kernel shares.
        ledger: Holds, releases and pays the prices.
        webhooks: Informs the callers of jobs that ended.
    """

    def __init__(self, world: World, ledger: Ledger, webhooks: Webhooks) -> None:
        self.board = Board()
        self._world = world
        self._ledger = ledger
        self._webhooks = webhooks

    @staticmethod
    def require_open(job: Job) -> None:
        """Refuse to end a job twice.

        Raises:
            Refusal: 409 ``job_ended``.
        """
        if job.terminal:
            raise Refusal(409, "job_ended", f"The job has already ended: it is {job.status}.")

    def begin(self, job: Job, now: float) -> None:
        """Hold a new job's price and offer the job.

        Raises:
            Refusal: 402 ``insufficient_balance``. Nothing was changed.
        """
        self._ledger.hold(job, now)
        self.board.add(job)
        self._world.on_change(Payload(job.number, "input", job.input_envelope))
        if job.channel_context is not None:
            self._world.on_change(Payload(job.number, "context", job.channel_context))
        self._note(job, "job.created", now, price_nc=job.price_nc)
        self._open_bidding(job, now)

    def award(self, job: Job, agent: Agent, now: float) -> Attempt:
        """Award a job to a worker, with a lease."""
        attempt = Attempt(
            job=job.number,
            number=len(job.attempts) + 1,
            task_run_id=self._world.new_id("run"),
            agent_id=agent.id,
            started_at=now,
            lease_expires_at=now + self._world.rules.lease,
        )
        self.board.withdraw(job)
        job.status = "running"
        job.attempts.append(attempt)
        self._world.on_change(attempt)
        self.board.watch(job)
        self._note(
            job,
            "job.awarded",
            now,
            task_run_id=attempt.task_run_id,
            agent_id=agent.id,
            attempt=attempt.number,
        )
        return attempt

    def extend(self, attempt: Attempt, now: float) -> None:
        """Extend an attempt's lease to its full length from now."""
        attempt.lease_expires_at = now + self._world.rules.lease
        attempt.heartbeats += 1
        self._world.on_change(attempt)

    def reject(self, job: Job, attempt: Attempt, errors: list[str], now: float) -> Refusal:
        """Record an invalid output. The last one that an attempt may submit ends the attempt.

        Returns:
            The refusal for the response: 422 while the attempt may submit again, else 200.
        """
        attempt.rejections += 1
        self._world.on_change(attempt)
        self._note(job, "job.output_rejected", now, validation_errors=errors)
        text = f"The output does not fit {job.capability_key}: {errors[0]}"
        if attempt.rejections < self._world.rules.rejections:
            return Refusal(422, "validation_failed", text, validation_errors=errors)
        self.lose(job, attempt, now, "validation_failed")
        return Refusal(200, "validation_failed", text, validation_errors=errors)

    def lose(self, job: Job, attempt: Attempt, now: float, reason: str) -> None:
        """End an attempt. The job is offered again, or fails after its last attempt."""
        self._close(attempt, reason, now)
        self._note(job, "job.attempt_lost", now, attempt=attempt.number, reason=reason)
        if len(job.attempts) < self._world.rules.attempts:
            self._open_bidding(job, now)
        else:
            count = len(job.attempts)
            text = f"All {count} attempts were lost; the last one: {reason}"
            self.end(job, "failed", now, "attempt_exhausted", text)

    def settle(self, job: Job, worker: Agent, result: Result, now: float) -> None:
        """Store the result of the running attempt and pay the worker, in one step."""
        job.output_envelope = result.output_envelope
        self._world.on_change(Payload(job.number, "output", job.output_envelope))
        new_id = self._world.new_id
        job.artifacts = [{**artifact, "id": new_id("art")} for artifact in result.artifacts]
        if job.artifacts:
            self._world.on_change(Payload(job.number, "artifacts", job.artifacts))
        job.payout_nc = job.price_nc
        self._close(job.attempts[-1], "succeeded", now)
        self._ledger.pay(job, worker.account_id, now)
        payload: Json = {"payout_nc": job.payout_nc}
        if result.published is not None:
            payload["published"] = result.published
        self._finish(job, "succeeded", now, payload)

    def end(self, job: Job, status: str, now: float, code: str, message: str) -> None:
        """End a job without a result and return its price.

        Raises:
            Refusal: 409 ``job_ended``.
        """
        self.require_open(job)
        job.error_code = code
        job.error_message = message
        if job.lease is not None:
            self._close(job.lease, status, now)
        self.board.withdraw(job)
        self._ledger.release(job, now)
        self._finish(job, status, now, {"error_code": code})

    def _open_bidding(self, job: Job, now: float) -> None:
        job.status = "bidding"
        job.bid_expires_at = min(now + self._world.rules.bid_window, job.expires_at)
        self.board.offer(job)
        self.board.watch(job)
        self._note(job, "job.bidding", now)

    def _finish(self, job: Job, status: str, now: float, payload: Json) -> None:
        job.status = status
        job.completed_at = now
        self._note(job, f"job.{status}", now, **payload)
        self._webhooks.announce(job, now)

    def _close(self, attempt: Attempt, status: str, now: float) -> None:
        attempt.status = status
        attempt.ended_at = now
        self._world.on_change(attempt)

    def _note(self, job: Job, event_type: str, now: float, **payload: object) -> None:
        event = Event(job.number, len(job.events) + 1, event_type, now, payload)
        job.events.append(event)
        self._world.on_change(event)
        self._world.on_change(job)
