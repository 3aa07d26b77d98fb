"""Run one awarded job: call its handler, and submit its output."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from chaojiyuyan_core.errors import InvalidInput, NonRetryableError
from chaojiyuyan_core.http import encode_body, run
from chaojiyuyan_core.submission import submit_until_settled
from chaojiyuyan_worker._observe.logger import bound_text, describe, get_logger
from chaojiyuyan_worker.leases import Loss

from .conversion import Misfit
from .execution import ExecutorBroken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chaojiyuyan_core.answers import Undecided
    from chaojiyuyan_core.http import Flow
    from chaojiyuyan_core.models import JsonObject
    from chaojiyuyan_core.submission import Submission
    from chaojiyuyan_worker._observe.telemetry import Telemetry
    from chaojiyuyan_worker.leases import Lease, LeaseKeeper
    from chaojiyuyan_worker.task import TaskContext

    from .execution import Execution
    from .handlers import Handler
    from .lifespan import Lifespan
    from .offers import Offers
    from .options import RunOptions
    from .runtime import Event, Runtime
    from .wire import Wire

log = get_logger(__name__)


class Outcome(Enum):
    """The outcome of an awarded job."""

    SETTLED = "settled"
    PROBABLY_SETTLED = "probably settled"
    REFUSED = "refused by validation"
    LOST = "lost"
    FAILED = "failed"
    GIVEN_UP = "given up"
    INVALID_INPUT = "invalid input"


GIVEN_UP = frozenset({Outcome.FAILED, Outcome.REFUSED, Outcome.GIVEN_UP, Outcome.INVALID_INPUT})
"""The outcomes after which the job is left to other workers."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a job or of one attempt.

    Attributes:
        outcome: The outcome.
        reason: Why the job is not settled, in one line of limited length; empty when it is.
        validation_errors: The problems of the output that the platform found.
        is_for_good: Whether this worker must never try the job again.
        error: The exception of the handler, or for its output, or None.
    """

    outcome: Outcome
    reason: str = ""
    validation_errors: list[str] = field(default_factory=list)
    is_for_good: bool = False
    error: BaseException | None = None

    def __post_init__(self) -> None:
        if self.reason:
            object.__setattr__(self, "reason", bound_text(self.reason))


STOPPED = Verdict(Outcome.GIVEN_UP, "the worker was stopped by an exception")
"""The result of a job that ends with an exception for the worker."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The objects that all jobs of a run share.

    Attributes:
        runtime: Provides events, the clock and random numbers.
        options: The options of the run.
        handlers: The handlers by capability.
        offers: The offers and the slots.
        keeper: Holds the leases.
        execution: Runs the handlers.
        telemetry: Records every job.
        lifespan: The author's lifespan, or None.
    """

    runtime: Runtime
    options: RunOptions
    handlers: Mapping[str, Handler]
    offers: Offers
    keeper: LeaseKeeper
    execution: Execution
    telemetry: Telemetry
    lifespan: Lifespan | None = None


class JobRun:
    """Runs one awarded job on the thread of its slot.

    Args:
        parts: The objects that all jobs of the run share.
        task: The task for the handler.
        sent: The clock time at which the bid was sent.
        lease_seconds: The length of the lease in seconds from `sent`.
        wire: Sends the submits.
    """

    def __init__(
        self, parts: Parts, task: TaskContext, sent: float, lease_seconds: float, wire: Wire
    ) -> None:
        self._parts = parts
        self._task = task
        task.state = parts.lifespan.state if parts.lifespan is not None else None
        self._wire = wire
        self._handler = parts.handlers[task.capability_key]
        self._over: Event = parts.runtime.event()
        self._lock = parts.runtime.lock()
        self._is_submitting = False
        self._lease = parts.keeper.hold(task.job_id, sent, lease_seconds, on_lost=self._on_lost)

    def run(self) -> Verdict:
        """Run the handler and submit its output, with retries, and return the result.

        Raises:
            ExecutorBroken: The executor is broken. The job is given up.
            BaseException: The handler raised an exception that is not an ``Exception``.
        """
        telemetry, task, lease = self._parts.telemetry, self._task, self._lease
        verdict = STOPPED
        with ExitStack() as stack:  # closed after the report, which belongs to the telemetry's job
            try:
                stack.enter_context(telemetry.job(task, lease))
                verdict = self._try_until_decided()
            except ExecutorBroken as error:
                verdict = Verdict(Outcome.GIVEN_UP, f"the executor broke: {error}")
                raise
            finally:
                left = lease.remaining()
                lease.release()  # first, because the heartbeats must not go on if a report raises
                self._report(verdict, left)
        return verdict

    def _on_lost(self, lease: Lease) -> None:
        self._task.cancel(lease.lost.value if lease.lost else "")
        self._over.set()
        with self._lock:
            # Stop a submit in flight, because it could settle the job under the next holder's
            # lease.
            if self._is_submitting:
                self._wire.abort()

    def _try_until_decided(self) -> Verdict:
        task, last = self._task, self._parts.options.max_retries + 1
        while True:
            verdict = self._try()
            retries = verdict.outcome in (Outcome.FAILED, Outcome.REFUSED)
            if not retries or task.attempt >= last:
                return verdict
            reason = verdict.reason
            log.warning("attempt %d of %d: %s", task.attempt, last, reason, extra=task.labels)
            refused = verdict.outcome is Outcome.REFUSED
            # A refusal may have ended the lease, and the API cannot distinguish us from the next
            # holder with the same key.
            if refused and not self._parts.keeper.confirm(self._lease, self._over.wait):
                return self._cancelled()
            task.attempt += 1
            task.validation_errors = verdict.validation_errors
            task.artifacts = []
            task.last_progress = None

    def _try(self) -> Verdict:
        """Run the handler once, and submit its output."""
        task = self._task
        if self._lease.lost is not None:
            return self._cancelled()
        try:
            self._handler.signature.prepare(task)
        except InvalidInput as error:
            return Verdict(Outcome.INVALID_INPUT, str(error), is_for_good=True, error=error)
        started = self._parts.runtime.clock()
        try:
            output = self._parts.execution.run(self._handler, task, on_start=self._on_start)
        except ExecutorBroken:
            raise
        except NonRetryableError as error:
            return Verdict(Outcome.GIVEN_UP, str(error), is_for_good=True, error=error)
        except Exception as error:
            if task.cancelled:
                return self._cancelled()
            log.warning("handler failed", exc_info=True, extra=task.labels)
            return Verdict(Outcome.FAILED, f"{type(error).__name__}: {error}", error=error)
        finally:
            self._parts.telemetry.handled(task, self._parts.runtime.clock() - started)
        if self._handler.timeout is not None:
            self._lease.limit(None)
        if task.cancelled:
            return self._cancelled()
        try:
            value = self._handler.signature.read_output(output)
        except Misfit as misfit:
            reason = f"the output does not fit its type: {misfit}"
            return Verdict(Outcome.REFUSED, reason, [str(misfit)])
        except RecursionError as error:
            reason = f"the output of the handler is not JSON: {error}"
            return Verdict(Outcome.GIVEN_UP, reason, error=error)
        if not isinstance(value, dict):
            kind = type(output).__name__
            problem = TypeError(f"the handler returned {kind} instead of a dict")
            return Verdict(Outcome.GIVEN_UP, str(problem), error=problem)
        return self._submit(value)

    def _on_start(self) -> None:
        """Start the timeout of the handler. It does not include the time in a queue."""
        if self._handler.timeout is not None:
            self._lease.limit(self._handler.timeout)

    def _submit(self, output: JsonObject) -> Verdict:
        parts, task = self._parts, self._task
        call = parts.options.publishing.submit(task.job_id, output, task.artifacts)
        try:
            encode_body(call)
        except (TypeError, ValueError, RecursionError) as error:
            reason = f"the output of the handler is not JSON: {error}"
            return Verdict(Outcome.GIVEN_UP, reason, error=error)
        flow = submit_until_settled(
            call,
            self._lease,
            clock=parts.runtime.clock,
            draw=parts.runtime.random,
            on_retry=self._tell_retry,
        )
        ended = self._run_submit(flow)
        outcome = Outcome(ended.outcome.value)
        if ended.refusal is not None:
            found = ended.refusal.validation_errors
            return Verdict(outcome, "; ".join(found), found)
        if outcome is Outcome.PROBABLY_SETTLED:
            reason = "a submit got no answer, and the job no longer belongs to this worker"
            return Verdict(outcome, reason)
        if outcome is Outcome.LOST and self._lease.lost is not None:
            return Verdict(outcome, self._lease.lost.value)
        return Verdict(outcome, str(ended.error or ""))

    def _run_submit(self, flow: Flow[Submission]) -> Submission:
        with self._lock:
            self._is_submitting = True
        try:
            return run(flow, self._wire, sleep=self._over.wait)
        finally:
            with self._lock:
                self._is_submitting = False

    def _tell_retry(self, reading: Undecided, delay: float) -> None:
        error = describe(reading.error)
        log.warning("submit failed, retry in %.1f s: %s", delay, error, extra=self._task.labels)

    def _cancelled(self) -> Verdict:
        loss = self._lease.lost
        if loss is Loss.HELD_TOO_LONG:
            return Verdict(Outcome.GIVEN_UP, "the handler ran longer than its timeout")
        return Verdict(Outcome.LOST, loss.value if loss else "")

    def _report(self, verdict: Verdict, lease_left: float) -> None:
        parts, task = self._parts, self._task
        if verdict.outcome in GIVEN_UP:
            parts.offers.give_up(task.job_id, lease_left, for_good=verdict.is_for_good)
        parts.telemetry.ended(task, verdict, lease_left)
        if verdict.outcome is Outcome.SETTLED:
            log.info("settled", extra=task.labels)
        elif verdict.outcome is Outcome.PROBABLY_SETTLED:
            log.warning("%s: %s", verdict.outcome.value, verdict.reason, extra=task.labels)
        else:
            log.error("%s: %s", verdict.outcome.value, verdict.reason, extra=task.labels)
