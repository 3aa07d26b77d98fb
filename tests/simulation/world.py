"""One simulated world: runs a plan and checks the invariants at every step."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chaojiyuyan_devserver.kernel import Rules

from .callers import Caller
from .instrument import POINTS
from .network import Network
from .plan import Plan, plan
from .processes import GRACE, WorkerProcess
from .scheduler import Process, Scheduler, Violation
from .server import Platform, Request
from .work import MAX_WORK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .plan import Disturbance
    from .server import Answer

MAX_PICKUP = 3.0
"""Maximum seconds from a new job to its award in a calm world with a free slot."""

MAX_PAUSE = 130.0
"""Seconds after which a worker has recovered: the longest ``Retry-After`` and some more."""

SETTLING = 900.0
"""Virtual seconds after the last fault within which every job must end."""


@dataclass
class Report:
    """The result of one run.

    Attributes:
        steps: Scheduling steps.
        messages: Requests sent.
        seconds: Virtual seconds.
        settled: Jobs that succeeded.
        faults: How often each fault happened.
        violation: The violated invariant, or None.
        trace: The lines of the trace, if they were kept.
    """

    steps: int = 0
    messages: int = 0
    seconds: float = 0.0
    settled: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    violation: str | None = None
    trace: list[str] = field(default_factory=list)


class World:
    """Runs a plan.

    Args:
        plan: The plan.
        tracing: Whether to keep the trace.
    """

    def __init__(self, plan: Plan, *, tracing: bool = False) -> None:
        self.plan = plan
        self.report = Report()
        self._tracing = tracing
        self.scheduler = Scheduler(plan.seed, interrupt=plan.interrupt, record=self._record)
        self.capabilities = [f"text.{n}.v1" for n in range(len(plan.kinds))]
        self._rules = Rules(attempts=plan.attempts)
        self.platform = Platform(
            self.scheduler,
            self.capabilities,
            self._rules,
            on_accept=self._check_accepted,
            on_change=self._check_money,
            holds=plan.holds,
        )
        self.network = Network(
            self.scheduler,
            self.platform,
            plan.weather,
            plan.calm_at,
            str(plan.seed),
            shared_key=plan.shared_key,
        )
        self._caller_key = self.platform.new_key("caller")
        self._caller = Caller(self, self._caller_key)
        first = self.platform.new_key("worker")
        self._worker_keys = [
            first if plan.shared_key or n == 0 else self.platform.new_key(f"worker {n}")
            for n in range(plan.workers)
        ]
        self._workers: dict[int, WorkerProcess] = {}
        self._processes: list[Process] = []

    # -- running ---------------------------------------------------------------------------------

    def simulate(self) -> Report:
        """Run the plan to its end and report what happened."""
        with self._log_in_trace():
            POINTS.activate(self.scheduler, self.plan.statements)
            try:
                self._live()
            except Violation as violation:
                self.report.violation = str(violation)
            finally:
                POINTS.activate(None)
                self.scheduler.discard([*self._processes, self._caller.process])
        self.report.steps = self.scheduler.steps
        self.report.messages = self.network.messages
        self.report.seconds = self.scheduler.now
        self.report.faults = dict(self.network.faults_seen)
        return self.report

    def _live(self) -> None:
        plan, scheduler = self.plan, self.scheduler
        for number in range(plan.workers):
            self._start_worker(number)
        for when, capability in plan.orders:
            scheduler.at(when, lambda c=capability: self._caller.order(self.capabilities[c]))
        for disturbance in plan.disturbances:
            scheduler.at(disturbance.at, lambda d=disturbance: self._disturb(d))
        scheduler.at(1.0, self._watch)
        scheduler.run(self._is_calm, limit=plan.calm_at + 200.0)
        scheduler.run(self._all_ended, limit=plan.calm_at + SETTLING)
        self._check_outcomes()
        self._check_pickup()
        self._check_shutdown()

    def _is_calm(self) -> bool:
        """Return whether all disturbances are over and every worker runs."""
        return self.scheduler.now >= self.plan.calm_at and all(
            worker.is_running for worker in self._workers.values()
        )

    def _all_ended(self) -> bool:
        jobs = self.platform.jobs.values()
        return self._caller.is_done and all(job.terminal for job in jobs)

    def _record(self, when: float, process: str, thread: str, event: str) -> None:
        if self._tracing and self.scheduler.violation is None:
            self.report.trace.append(f"{when:10.4f}  {process:<10} {thread:<20} {event}")

    @contextmanager
    def _log_in_trace(self) -> Iterator[None]:
        """Write the worker's log records only to the trace."""
        logger, handler = logging.getLogger("chaojiyuyan_worker"), _TraceHandler(self.scheduler)
        level, propagate = logger.level, logger.propagate
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagate

    # -- events ----------------------------------------------------------------------------------

    def _order(self, capability: int) -> str:
        body = {
            "capability_key": self.capabilities[capability],
            "input_payload": {"n": len(self.platform.jobs)},
        }
        answers: list[Answer] = []
        self.platform.handle(
            Request("POST", "/kernel-jobs", {}, body, None, self._caller_key), answers.append
        )
        job_id = str(answers[0].body["id"])
        self.scheduler.note(f"ordered {job_id} of {body['capability_key']}")
        return job_id

    def _start_worker(self, number: int) -> None:
        process = Process(f"worker-{number}.{len(self._processes)}")
        self._processes.append(process)
        worker = WorkerProcess(self, process, self._worker_keys[number])
        self._workers[number] = worker
        worker.start(lambda: self._start_again(number, worker))

    def _disturb(self, disturbance: Disturbance) -> None:
        scheduler = self.scheduler
        kind, number, seconds = disturbance.kind, disturbance.target, disturbance.seconds
        scheduler.note(f"{kind} {number} for {seconds:.1f} s")
        worker = self._workers[number]
        if kind == "restart":
            self.network.down_until = scheduler.now + min(seconds, 10.0)
            self.platform.restart()
        elif kind == "forget":
            self.platform.forget_registrations()
        elif kind == "kill":
            worker.kill()
            scheduler.at(scheduler.now + seconds, lambda: self._start_again(number, worker))
        elif kind == "freeze":
            worker.freeze(seconds)
        elif worker.stop():
            # After a while, its supervisor kills the rest and restarts it.
            again = scheduler.now + GRACE + 5.0 + seconds
            scheduler.at(again, lambda: self._start_again(number, worker))

    def _start_again(self, number: int, before: WorkerProcess) -> None:
        if self._workers[number] is before:
            before.kill()
            self._start_worker(number)

    # -- invariants ------------------------------------------------------------------------------

    def _check_accepted(self, request: Request, run: str) -> None:
        if request.run is None or request.run == run:
            return
        if self.plan.shared_key and self._ended_by_refusals(request):
            return  # no client can know this, so it is not guaranteed; see docs/guarantees.md
        self.scheduler.violate(
            f"a {request.kind} of {request.sender} was accepted for another's attempt"
        )

    def _ended_by_refusals(self, request: Request) -> bool:
        """Return whether the platform ended the sender's attempt for its invalid outputs."""
        attempts = self.platform.jobs[request.job_id].attempts
        own = next(each for each in attempts if each.task_run_id == request.run)
        return own.rejections >= self._rules.rejections

    def _check_money(self) -> None:
        accounts = self.platform.kernel.ledger.accounts.values()
        total = sum(account.available_nc + account.held_nc for account in accounts)
        if total != 0 or any(account.held_nc < 0 for account in accounts):
            self.scheduler.violate(f"credits are not conserved: {total} nc")

    def _watch(self) -> None:
        """Check every process, once per virtual second."""
        scheduler = self.scheduler
        for thread, error in scheduler.unhandled:
            name = f"{thread.process.name}/{thread.name}"
            scheduler.violate(f"{name} died: {type(error).__name__}: {error}")
        for worker in self._workers.values():
            worker.check()
        scheduler.at(scheduler.now + 1.0, self._watch)

    def _check_outcomes(self) -> None:
        if len(self.platform.jobs) > self._caller.orders:
            made, orders = len(self.platform.jobs), self._caller.orders
            self.scheduler.violate(f"{orders} orders made {made} jobs")
        for job in self.platform.jobs.values():
            self.report.settled += job.status == "succeeded"
            if job.status != "succeeded" and self.plan.attempts > 3:
                self.scheduler.violate(f"{job.id} was lost: {job.status}, {job.error_message}")

    def _check_pickup(self) -> None:
        """Create one job of each capability without faults, and check that it is taken soon."""
        scheduler = self.scheduler
        until = scheduler.now + MAX_PAUSE
        scheduler.run(lambda: scheduler.now >= until, limit=until + 10.0)
        for worker in self._workers.values():
            worker.check_is_live()
        for capability in range(len(self.capabilities)):
            job = self.platform.jobs[self._order(capability)]
            ordered = scheduler.now
            scheduler.run(lambda j=job: bool(j.attempts), limit=ordered + MAX_PICKUP)
            scheduler.run(lambda j=job: j.terminal, limit=ordered + SETTLING)

    def _check_shutdown(self) -> None:
        """Stop every worker, and check that nothing of it is left."""
        scheduler = self.scheduler
        for worker in self._workers.values():
            worker.stop()
        stopped = scheduler.now
        workers = self._workers.values()
        limit = stopped + GRACE + 5.0 + (MAX_WORK if self.plan.concurrency == 1 else 0.0)
        scheduler.run(lambda: all(w.ended for w in workers), limit=limit)
        # A waiting poll is abandoned; it closes its connection when it is answered.
        scheduler.run(lambda: scheduler.now >= stopped + 60.0, limit=stopped + 70.0)
        for worker in workers:
            worker.check_nothing_left()


class _TraceHandler(logging.Handler):
    """Writes log records to the trace."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__()
        self._scheduler = scheduler

    def emit(self, record: logging.LogRecord) -> None:
        """Write a log record."""
        self._scheduler.note(f"LOG {record.levelname} {record.getMessage()}")


def simulate(plan_or_seed: Plan | int, *, tracing: bool = False) -> Report:
    """Run the world of a plan, or of a seed."""
    chosen = plan(plan_or_seed) if isinstance(plan_or_seed, int) else plan_or_seed
    return World(chosen, tracing=tracing).simulate()
