"""One job, from the bid to the settlement."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chaojiyuyan_core import api
from chaojiyuyan_core.answers import retry_after, value_of
from chaojiyuyan_core.errors import HebingAPIError, NonRetryableError, PermissionDeniedError
from chaojiyuyan_core.requests import encode
from chaojiyuyan_core.retry import LONGEST_RETRY_AFTER
from chaojiyuyan_worker.leases import Lease, LeaseKeeper, Loss, lease_deadline
from chaojiyuyan_worker.task import TaskContext

from .execution import ExecutorBroken
from .polling import FAULTS, NOT_REGISTERED
from .submission import Outcome, Verdict, submit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

    from chaojiyuyan_core.models import BidResult, TaskInfo
    from chaojiyuyan_worker._observe.telemetry import Telemetry

    from .execution import Execution
    from .handlers import Handler
    from .offers import Offers
    from .options import Publishing
    from .runtime import Event, Runtime
    from .wire import Wire

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Jobs:
    """Works one offer after another on the thread that asks for it.

    :param handlers: by capability.
    :param offers: told what became of each bid.
    :param keeper: holds the leases.
    :param execution: runs the handlers.
    :param publishing: how outputs are published.
    :param max_retries: how often a handler that failed is run again.
    :param lost_registration: called when the platform no longer knows the capabilities.
    :param telemetry: told about every job.
    :param runtime: gives events and chance.
    """

    handlers: Mapping[str, Handler]
    offers: Offers
    keeper: LeaseKeeper
    execution: Execution
    publishing: Publishing
    max_retries: int
    lost_registration: Callable[[], object]
    telemetry: Telemetry
    runtime: Runtime

    def work(self, offer: TaskInfo, wire: Wire) -> None:
        """Bid on an offer that a slot was taken for; if it is awarded, see it through.

        :raises ExecutorBroken: the executor broke; the job is given up.
        """
        awarded = False
        try:
            sent = self.keeper.clock()
            call = api.bid(offer["job_id"])
            answer = wire.send(call)
            award = self._award(call, answer, offer)
            if award is None or isinstance(answer, Exception):
                return
            awarded = True
            self.offers.awarded()
            deadline = lease_deadline(award.get("lease_expires_at"), answer, sent)
            self._run(offer, award, deadline, wire)
        finally:
            self.offers.done(offer, worked=awarded)

    def _award(
        self, call: api.Call[BidResult], answer: httpx.Response | Exception, offer: TaskInfo
    ) -> BidResult | None:
        """Return the award, or None: refused, or unknown."""
        labels = {"job_id": offer["job_id"], "capability_key": offer["capability_key"]}
        if isinstance(answer, Exception):
            # If the bid came through, the lease runs out and the job is offered again. Asking
            # would not tell: siblings with the same key look the same to the platform.
            log.warning("bid unanswered: %s: %s", type(answer).__name__, answer, extra=labels)
            self.offers.suspend(FAULTS.first_delay)
            return None
        try:
            result = value_of(call, answer)
        except HebingAPIError as error:
            if isinstance(error, PermissionDeniedError) and error.code in NOT_REGISTERED:
                self.lost_registration()
            if answer.status_code in (404, 409, 410):
                log.debug("bid refused: %s", error, extra=labels)
            else:
                log.warning("bid failed: %s", error, extra=labels)
                asked = retry_after(answer) or FAULTS.first_delay
                self.offers.suspend(min(asked, LONGEST_RETRY_AFTER))
            return None
        if result["accepted"]:
            return result
        log.debug("bid refused: %s", result.get("code"), extra=labels)
        if result.get("code") == "already_awarded":
            self.offers.outbid()
        return None

    def _run(self, offer: TaskInfo, award: BidResult, deadline: float, wire: Wire) -> None:
        task = TaskContext(
            offer,
            task_run_id=award["task_run_id"],
            lease_expires_at=award.get("lease_expires_at"),
        )
        over = self.runtime.event()

        def lost(lease: Lease) -> None:
            over.set()
            task.cancel(lease.lost.value if lease.lost else "")

        lease = self.keeper.hold(task.job_id, deadline, on_lost=lost)
        verdict = Verdict(Outcome.GIVEN_UP, "the worker was stopped by an exception")
        with self.telemetry.job(task):
            try:
                verdict = self._attempts(task, lease, wire, over)
            except ExecutorBroken as error:
                verdict = Verdict(Outcome.GIVEN_UP, f"the executor broke: {error}")
                raise
            finally:
                lease.release()
                self.telemetry.ended(task, verdict, lease.remaining())
                _report(verdict, task)

    def _attempts(self, task: TaskContext, lease: Lease, wire: Wire, over: Event) -> Verdict:
        """Run the handler, and again where that may help, until the job is decided."""
        handler = self.handlers[task.capability_key]
        last = self.max_retries + 1
        while True:
            verdict = self._attempt(handler, task, lease, wire, over)
            again = verdict.outcome in (Outcome.FAILED, Outcome.REFUSED)
            if not again or task.attempt >= last:
                return verdict
            log.warning(
                "attempt %d of %d: %s", task.attempt, last, verdict.reason, extra=task.labels
            )
            task.attempt += 1
            task.validation_errors = verdict.validation_errors
            task.artifacts = []

    def _attempt(
        self,
        handler: Handler,
        task: TaskContext,
        lease: Lease,
        wire: Wire,
        over: Event,
    ) -> Verdict:
        if lease.lost is not None:
            return Verdict(Outcome.LOST, lease.lost.value)
        lease.limit(handler.timeout)
        started = self.keeper.clock()
        try:
            output = self.execution.run(handler, task)
        except ExecutorBroken:
            raise
        except NonRetryableError as error:
            return Verdict(Outcome.GIVEN_UP, str(error))
        except Exception as error:
            if task.cancelled:
                return _cancelled(lease)
            log.warning("handler failed", exc_info=True, extra=task.labels)
            return Verdict(Outcome.FAILED, f"{type(error).__name__}: {error}")
        finally:
            self.telemetry.handled(task, self.keeper.clock() - started)
        lease.limit(None)
        if task.cancelled:
            return _cancelled(lease)
        if not isinstance(output, dict):
            kind = type(output).__name__
            return Verdict(Outcome.GIVEN_UP, f"the handler returned no dict but {kind}")
        call = self.publishing.submit(task.job_id, output, task.artifacts)
        try:
            encode(call)
        except (TypeError, ValueError, RecursionError) as error:
            return Verdict(Outcome.GIVEN_UP, f"the output of the handler is not JSON: {error}")
        return submit(wire, call, lease, task.labels, sleep=over.wait, draw=self.runtime.random)


def _cancelled(lease: Lease) -> Verdict:
    loss = lease.lost
    if loss is Loss.HELD_TOO_LONG:
        return Verdict(Outcome.GIVEN_UP, "the handler ran longer than its timeout")
    return Verdict(Outcome.LOST, loss.value if loss else "")


def _report(verdict: Verdict, task: TaskContext) -> None:
    if verdict.outcome is Outcome.SETTLED:
        log.info("settled", extra=task.labels)
        return
    level = logging.WARNING if verdict.outcome is Outcome.PROBABLY_SETTLED else logging.ERROR
    log.log(level, "%s: %s", verdict.outcome.value, verdict.reason, extra=task.labels)
