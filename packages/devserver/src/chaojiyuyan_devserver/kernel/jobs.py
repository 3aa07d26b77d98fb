"""The operations of callers, workers, operators and the clock on jobs."""

from collections.abc import Iterable

from .agents import Agents
from .errors import Refusal
from .ledger import Ledger
from .lifecycle import Lifecycle
from .records import Agent, Attempt, Job, Order, Result
from .rules import World
from .webhooks import Webhooks


class Jobs:
    """All operations on jobs. The jobs that have not ended are on the ``board``.

    Args:
        world: The parts that the whole kernel shares.
        agents: The agents, with their permissions as workers.
        ledger: Holds, releases and pays the prices.
        webhooks: Informs the callers of jobs that ended.
    """

    def __init__(self, world: World, agents: Agents, ledger: Ledger, webhooks: Webhooks) -> None:
        self._world = world
        self._agents = agents
        self._lifecycle = Lifecycle(world, ledger, webhooks)
        self.board = self._lifecycle.board
        self.last_number = 0

    def restore(self, jobs: Iterable[Job], last_number: int) -> None:
        """Add stored jobs that have not ended, and set the number of the newest job."""
        self.last_number = last_number
        self.board.restore(jobs)

    # -- the caller ------------------------------------------------------------------------------

    def create(self, agent: Agent, order: Order) -> Job:
        """Create a job, hold its price and offer it: ``POST /kernel-jobs``.

        Args:
            agent: The caller, which has no job with the order's idempotency key yet.
            order: The call.

        Raises:
            Refusal: 400 ``unknown_capability`` or ``invalid_input``, 402 ``insufficient_balance``.
        """
        key, now = order.capability_key, self._world.clock()
        spec = self._world.catalog.get(key)
        if spec is None:
            raise Refusal(400, "unknown_capability", f"The capability is unknown: {key}")
        errors = spec.input_errors(order.input_envelope)
        if errors:
            text = f"The input does not fit {key}: {errors[0]}"
            raise Refusal(400, "invalid_input", text, validation_errors=errors)
        timeout = self._world.rules.timeout if order.timeout_sec is None else order.timeout_sec
        job = Job(
            number=self.last_number + 1,
            id=self._world.new_id("job"),
            agent_id=agent.id,
            account_id=agent.account_id,
            capability_key=key,
            price_nc=spec.price_nc,
            input_envelope=order.input_envelope,
            channel_context=order.channel_context,
            idempotency_key=order.idempotency_key,
            timeout_sec=timeout,
            created_at=now,
            expires_at=now + timeout,
            bid_expires_at=now,
        )
        self._lifecycle.begin(job, now)
        self.last_number = job.number
        return job

    # -- the worker ------------------------------------------------------------------------------

    def available(self, agent: Agent, capability_key: str | None, limit: int) -> list[Job]:
        """Return the jobs that this worker can bid for: ``GET /kernel-jobs/available``.

        Args:
            agent: The worker.
            capability_key: Only jobs of this capability; None for all of its handler set.
            limit: The maximum number of jobs.

        Raises:
            Refusal: 403 ``worker_not_enabled``.
        """
        self._agents.require_worker(agent, self._world.clock())
        keys = [key for key in agent.handler_set if capability_key in (None, key)]
        return self.board.offered(keys, limit)

    def bid(self, agent: Agent, job: Job) -> Attempt:
        """Award a job to the first worker that bids: ``POST /kernel-jobs/{id}/bid``.

        Raises:
            Refusal: 403 ``worker_not_enabled`` or ``capability_not_in_handler_set``; 200
                ``already_awarded`` or ``not_in_bidding``, since a late bid is not an error; 410
                ``bid_window_expired`` or ``attempt_exhausted``.
        """
        now = self.expire()
        self._agents.require_worker(agent, now)
        self._agents.require_capability(agent, job.capability_key)
        self._require_bidding(job)
        return self._lifecycle.award(job, agent, now)

    def heartbeat(self, agent: Agent, job: Job) -> Attempt:
        """Extend a lease: ``POST /kernel-jobs/{id}/heartbeat``.

        Raises:
            Refusal: 404 ``task_run_not_found``, 410 ``lease_expired``.
        """
        now = self.expire()
        self._agents.note_seen(agent, now)
        attempt = self._require_lease(job, agent)
        self._lifecycle.extend(attempt, now)
        return attempt

    def submit(self, agent: Agent, job: Job, result: Result) -> None:
        """Settle a job: ``POST /kernel-jobs/{id}/submit``.

        Raises:
            Refusal: 404 ``task_run_not_found``, 410 ``lease_expired``; ``validation_failed`` as
                422 while the attempt may try again, else as 200 with ``settled`` false.
        """
        now = self.expire()
        self._agents.note_seen(agent, now)
        attempt = self._require_lease(job, agent)
        spec = self._world.catalog.get(job.capability_key)
        errors = spec.output_errors(result.output_envelope) if spec is not None else []
        if errors:
            raise self._lifecycle.reject(job, attempt, errors, now)
        self._lifecycle.settle(job, agent, result, now)

    # -- the operator; the API does not have these operations ------------------------------------

    def settle(self, job: Job, result: Result) -> None:
        """End a job as succeeded with any output; pay the worker that has it, or else its caller.

        Raises:
            Refusal: 409 ``job_ended``.
        """
        now = self.expire()
        self._lifecycle.require_open(job)
        worker = self._agents.by_id[job.lease.agent_id if job.lease else job.agent_id]
        if job.lease is None:
            self._lifecycle.award(job, worker, now)
        self._lifecycle.settle(job, worker, result, now)

    def cancel(self, job: Job) -> None:
        """Cancel a job.

        Raises:
            Refusal: 409 ``job_ended``.
        """
        now = self._world.clock()
        self._lifecycle.end(job, "cancelled", now, "cancelled", "The job was cancelled.")

    def fail(self, job: Job, code: str, message: str) -> None:
        """End a job as failed.

        Raises:
            Refusal: 409 ``job_ended``.
        """
        self._lifecycle.end(job, "failed", self._world.clock(), code, message)

    def expire_lease(self, job: Job) -> None:
        """End a running job's lease now.

        Raises:
            Refusal: 409 ``not_running``.
        """
        now = self._world.clock()
        if job.lease is None:
            raise Refusal(409, "not_running", f"The job is not running: it is {job.status}.")
        job.lease.lease_expires_at = now
        self._lifecycle.lose(job, job.lease, now, "lease_expired")

    def time_out(self, job: Job) -> None:
        """End a job now as timed out.

        Raises:
            Refusal: 409 ``job_ended``.
        """
        text = f"There was no result in {job.timeout_sec} s."
        self._lifecycle.end(job, "expired", self._world.clock(), "timeout", text)

    # -- time ------------------------------------------------------------------------------------

    def expire(self) -> float:
        """Apply all passed deadlines of leases, bid windows and jobs, and return the time."""
        now = self._world.clock()
        while (job := self.board.take_due(now)) is not None:
            if now >= job.expires_at:
                self.time_out(job)
            elif job.lease is not None:
                self._lifecycle.lose(job, job.lease, now, "lease_expired")
            else:
                text = "No worker took the job."
                self._lifecycle.end(job, "expired", now, "bid_window_expired", text)
        return now

    def _require_bidding(self, job: Job) -> None:
        if job.status == "running":
            raise Refusal(
                200,
                "already_awarded",
                "Another worker has the job.",
                awarded_to_agent_id=job.attempts[-1].agent_id,
            )
        if job.error_code in ("bid_window_expired", "attempt_exhausted"):
            raise Refusal(410, job.error_code, job.error_message or job.error_code)
        if job.status != "bidding":
            raise Refusal(200, "not_in_bidding", f"The job takes no bids: it is {job.status}.")

    def _require_lease(self, job: Job, agent: Agent) -> Attempt:
        last = job.attempts[-1] if job.attempts else None
        if last is None or last.agent_id != agent.id or last.status == "succeeded":
            raise Refusal(404, "task_run_not_found", "This agent does not hold the job.")
        if last.status != "running":
            raise Refusal(410, "lease_expired", "The lease has expired.")
        return last
