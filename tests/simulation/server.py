"""The platform of a simulation: the devserver's pure kernel behind the requests of the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from chaojiyuyan_devserver.kernel import Catalog, Kernel, Order, Refusal, Result, Rules, Spec
from chaojiyuyan_devserver.kernel.views import (
    timestamp,
    view_event,
    view_job,
    view_offer,
    view_summary,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from chaojiyuyan_devserver.kernel.records import Agent, Job

    from .scheduler import Scheduler

EPOCH = 1_750_000_000.0
"""What the platform's clock shows at virtual time 0, in seconds since 1970."""

MAX_HOLD = 30.0
"""Maximum seconds of a long-poll with ``Prefer: wait``."""


@dataclass
class Request:
    """A request that reaches the platform.

    Attributes:
        method: The HTTP method.
        path: The path under the base URL.
        query: The query parameters.
        body: The JSON body, parsed, or None.
        wait: The seconds of ``Prefer: wait``, or None.
        key: The agent key.
        sender: The sending process, which the platform does not know.
        run: The task run that the sender believes to have, which the platform does not know.
    """

    method: str
    path: str
    query: Mapping[str, Any]
    body: dict[str, Any] | None
    wait: float | None
    key: str
    sender: str = ""
    run: str | None = None

    @property
    def job_id(self) -> str:
        """The job in the path."""
        return unquote(self.path.split("/")[2])

    @property
    def kind(self) -> str:
        """The kind of request: ``poll``, ``bid``, ``heartbeat``, ``submit``, ``create`` …"""
        parts = self.path.strip("/").split("/")
        if self.path == "/kernel-jobs/available":
            return "poll"
        if parts[0] == "kernel-agents":
            return "register"
        if len(parts) == 3:
            return parts[2]
        return {("POST", 1): "create", ("GET", 1): "list", ("GET", 2): "read"}[
            self.method, len(parts)
        ]


@dataclass
class Answer:
    """A response of the platform: a status, a JSON value and further headers."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class _Held:
    request: Request
    agent: Agent
    respond: Callable[[Answer], object]


class Platform:
    """Answers requests immediately, or as long-polls.

    Args:
        scheduler: The scheduler, for its clock and timers.
        capabilities: The capability keys of the catalog.
        rules: The lease length and other limits.
        on_accept: Called for each accepted heartbeat and submit, with the attempt's task run.
        on_change: Called after each operation.
        holds: Whether to support ``Prefer: wait``.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        capabilities: list[str],
        rules: Rules,
        *,
        on_accept: Callable[[Request, str], object],
        on_change: Callable[[], object],
        holds: bool = True,
    ) -> None:
        self._scheduler = scheduler
        self._on_accept = on_accept
        self._on_change = on_change
        self._holds = holds
        self._held: list[_Held] = []
        self._number = 0
        self._next_expiry = float("inf")
        self._rules = rules
        self._catalog = Catalog(Spec(key, 10, output_schema=OUTPUT) for key in capabilities)
        self.kernel = self._new_kernel()
        self.jobs: dict[str, Job] = {}
        self._by_key: dict[tuple[str, str], str] = {}

    def now(self) -> float:
        """Return the platform's time."""
        return EPOCH + self._scheduler.now

    def _new_kernel(self) -> Kernel:
        return Kernel(self._catalog, self._rules, clock=self.now, new_id=self._new_id)

    def new_key(self, name: str, balance_nc: int = 1_000_000) -> str:
        """Open an account with one agent; return its key."""
        account = self.kernel.open_account(name, balance_nc)
        return self.kernel.create_agent(account.id, name)[1]

    def handle(self, request: Request, respond: Callable[[Answer], object]) -> None:
        """Answer a request, now or when the event of its long-poll happens."""
        agent = self.kernel.agents.authenticate(request.key)
        if agent is None:
            respond(Answer(401, _refused("invalid_api_key", "unknown key")))
            return
        held = _Held(request, agent, respond)
        answer = self._answer(held)
        hold = min(request.wait or 0.0, MAX_HOLD) if self._holds else 0.0
        if hold and self._is_worth_waiting(request, answer):
            self._held.append(held)
            self._scheduler.at(self._scheduler.now + hold, lambda: self._end_hold(held))
        else:
            respond(answer)
        self._changed()

    def expire(self) -> None:
        """Apply the deadlines that have passed."""
        self.kernel.jobs.expire()
        self.kernel.take_changes()
        self._changed()

    def restart(self) -> None:
        """Restart: waiting requests get no response, and the state is restored from a copy."""
        self._held.clear()
        state = self.kernel.snapshot()
        self.kernel = self._new_kernel()
        self.kernel.restore(state)
        self.jobs.update(self.kernel.jobs.board.jobs)

    def forget_registrations(self) -> None:
        """Delete the agents' handler sets, like a platform that lost a cache."""
        for agent in self.kernel.agents.by_id.values():
            agent.handler_set.clear()

    # -- inside ----------------------------------------------------------------------------------

    def _new_id(self, prefix: str) -> str:
        self._number += 1
        return f"{prefix}_{self._number:06d}"

    def _changed(self) -> None:
        for held in list(self._held):
            answer = self._answer(held)
            if not self._is_worth_waiting(held.request, answer):
                self._held.remove(held)
                held.respond(answer)
        due = self.kernel.next_deadline()
        if due is not None and due < self._next_expiry:
            self._next_expiry = due
            self._scheduler.at(due - EPOCH, self._expire_due)
        self._on_change()

    def _expire_due(self) -> None:
        self._next_expiry = float("inf")
        self.expire()

    def _end_hold(self, held: _Held) -> None:
        if held in self._held:
            self._held.remove(held)
            held.respond(self._answer(held))

    def _is_worth_waiting(self, request: Request, answer: Answer) -> bool:
        if answer.status != 200:
            return False
        if request.kind == "poll":
            return not answer.body["jobs"]
        return request.kind == "read" and answer.body["completed_at"] is None

    def _answer(self, held: _Held) -> Answer:
        request, agent = held.request, held.agent
        try:
            answer: Answer = getattr(self, f"_do_{request.kind}")(request, agent)
        except Refusal as refusal:
            return Answer(refusal.status, {"detail": refusal.detail()})
        if request.wait is not None and self._holds:
            answer.headers["Preference-Applied"] = f"wait={int(request.wait)}"
        return answer

    def _job(self, request: Request, code: str) -> Job:
        job = self.jobs.get(request.job_id)
        if job is None:
            raise Refusal(404, code, "no such job")
        return job

    def _do_register(self, request: Request, agent: Agent) -> Answer:
        assert request.body is not None
        registered, skipped = self.kernel.register(agent, request.body["capability_keys"])
        return Answer(201, {"registered": registered, "skipped_unknown": skipped})

    def _do_poll(self, request: Request, agent: Agent) -> Answer:
        key, limit = request.query.get("capability_key"), int(request.query.get("limit", 10))
        jobs = self.kernel.jobs.available(agent, key, limit)
        return Answer(200, {"jobs": [view_offer(job) for job in jobs]})

    def _do_bid(self, request: Request, agent: Agent) -> Answer:
        job = self._job(request, "kernel_job_not_found")
        try:
            attempt = self.kernel.jobs.bid(agent, job)
        except Refusal as refusal:
            if refusal.status != 200:
                raise
            return Answer(200, {"accepted": False, **refusal.detail()})
        lease = timestamp(attempt.lease_expires_at)
        award = {"accepted": True, "task_run_id": attempt.task_run_id, "lease_expires_at": lease}
        return Answer(200, award)

    def _do_heartbeat(self, request: Request, agent: Agent) -> Answer:
        job = self._job(request, "task_run_not_found")
        attempt = self.kernel.jobs.heartbeat(agent, job)
        self._on_accept(request, attempt.task_run_id)
        return Answer(200, {"lease_expires_at": timestamp(attempt.lease_expires_at)})

    def _do_submit(self, request: Request, agent: Agent) -> Answer:
        assert request.body is not None
        job = self._job(request, "task_run_not_found")
        try:
            result = Result(request.body["output_envelope"], request.body["artifacts"])
            self.kernel.jobs.submit(agent, job, result)
        except Refusal as refusal:
            if refusal.code == "validation_failed":
                self._on_accept(request, job.attempts[-1].task_run_id)
            if refusal.status != 200:
                raise
            return Answer(200, {"settled": False, **refusal.detail()})
        self._on_accept(request, job.attempts[-1].task_run_id)
        settlement = {"settled": True, "payout_nc": job.payout_nc, "job_status": job.status}
        return Answer(200, settlement)

    def _do_create(self, request: Request, agent: Agent) -> Answer:
        body = request.body or {}
        key = body.get("idempotency_key")
        earlier = self._by_key.get((agent.id, key))
        if earlier is not None:
            return Answer(200, view_summary(self.jobs[earlier]))
        order = Order(body["capability_key"], body["input_payload"], key)
        job = self.kernel.jobs.create(agent, order)
        self.jobs[job.id] = job
        if key is not None:
            self._by_key[agent.id, key] = job.id
        return Answer(201, view_summary(job))

    def _do_read(self, request: Request, agent: Agent) -> Answer:
        job = self._job(request, "kernel_job_not_found")
        if job.agent_id != agent.id:
            raise Refusal(404, "kernel_job_not_found", "no such job")
        return Answer(200, view_job(job))

    def _do_list(self, request: Request, agent: Agent) -> Answer:
        mine = [job for job in self.jobs.values() if job.agent_id == agent.id]
        return Answer(200, {"items": [view_summary(job) for job in reversed(mine)]})

    def _do_events(self, request: Request, agent: Agent) -> Answer:
        job = self._job(request, "kernel_job_not_found")
        return Answer(200, {"items": [view_event(job, event) for event in job.events]})


OUTPUT = {"type": "object", "not": {"required": ["invalid"]}}
"""What outputs the simulated capabilities take: all but those with a member ``invalid``."""


def _refused(code: str, error: str) -> dict[str, Any]:
    return {"detail": {"error": error, "code": code}}
