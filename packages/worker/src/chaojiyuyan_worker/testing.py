"""Handlers under test, with no network: a job in memory, in the platform's place."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chaojiyuyan_core.errors import SubmitValidationFailed, TaskCancelled
from chaojiyuyan_core.http import Reply

from ._observe.telemetry import Telemetry
from ._run.capacity import Capacity
from ._run.execution import Execution
from ._run.given_up import GivenUp
from ._run.job import JobRun as _JobRun, Outcome, Parts
from ._run.lifespan import Lifespan
from ._run.offers import Offers
from ._run.options import RunOptions
from ._run.runtime import Runtime
from .leases import Lease, LeaseKeeper, Loss
from .task import TaskContext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from chaojiyuyan_core.models import Artifact, JsonObject

    from ._run.job import Verdict
    from .worker import Worker

    Refuse = Callable[[JsonObject], list[str]]

LEASE_SECONDS = 30.0


@dataclass(frozen=True)
class JobRun:
    """What became of a job under test.

    Attributes:
        output: The output that was accepted, as the platform would get it; None without one.
        attempts: How often the handler ran, or would have run.
        artifacts: What was submitted with the output.
        error: Why the job did not succeed: the last exception of the handler; ``TimeoutError``,
            :class:`TaskCancelled` or :class:`SubmitValidationFailed`; None if it succeeded.
    """

    output: JsonObject | None
    attempts: int
    artifacts: list[Artifact] = field(default_factory=list)
    error: BaseException | None = None


def run(
    worker: Worker,
    capability_key: str,
    payload: Mapping[str, object],
    *,
    max_retries: int = 2,
    cancel_after: float | None = None,
    refuse: Refuse | None = None,
) -> JsonObject:
    """Run a worker's handler as a job would, and return its output as the platform would get it.

    Args:
        worker: The worker. Its lifespan is opened before and closed after.
        capability_key: The handler's capability.
        payload: The job's input. It goes through JSON, as does the output.
        max_retries: How often the handler is run again that raised, or whose output was refused.
        cancel_after: Seconds after which the lease is lost, from the start; None never loses it.
        refuse: Called with each output in the platform's place; returns what is wrong with it, a
            text each, or an empty list.

    Raises:
        LookupError: The worker has no handler for the capability.
        TypeError: The output is no object, or holds something that JSON has no form for.
        ValueError: The input or the output holds NaN, an infinity or a cycle.
        TimeoutError: The handler ran longer than its ``timeout``.
        TaskCancelled: The lease was lost.
        SubmitValidationFailed: The output was refused, or does not fit its type, to the last.
        Exception: The last exception of the handler.
    """
    done = run_job(
        worker,
        capability_key,
        payload,
        max_retries=max_retries,
        cancel_after=cancel_after,
        refuse=refuse,
    )
    if done.error is not None:
        raise done.error
    assert done.output is not None  # noqa: S101 - a job without an error has one
    return done.output


def run_job(
    worker: Worker,
    capability_key: str,
    payload: Mapping[str, object],
    *,
    max_retries: int = 2,
    cancel_after: float | None = None,
    refuse: Refuse | None = None,
) -> JobRun:
    """Run a worker's handler as a job would, and return what became of the job.

    Args:
        worker: See :func:`run`, as for the rest.
        capability_key: The handler's capability.
        payload: The job's input.
        max_retries: How often the handler is run again.
        cancel_after: Seconds after which the lease is lost.
        refuse: Refuses outputs in the platform's place.

    Returns:
        The output and the attempts, or the error: a job that failed does not raise.

    Raises:
        LookupError: The worker has no handler for the capability.
        ValueError: The input holds NaN, an infinity or a cycle.
    """
    if capability_key not in worker.handlers:
        raise LookupError(f"no handler for {capability_key!r}")
    task = TaskContext(
        {
            "job_id": "test-job",
            "capability_key": capability_key,
            "input_envelope": json.loads(json.dumps(payload, allow_nan=False)),
        },
        task_run_id="test-run",
    )
    platform = _Platform(refuse)
    runtime = Runtime()
    keeper = _Keeper(platform, runtime=runtime)
    execution = Execution(runtime, worker.executor)
    lifespan = None
    if worker.lifespan_function is not None:
        lifespan = Lifespan(worker.lifespan_function, worker, execution)
    options = RunOptions(max_retries=max_retries)
    capacity = Capacity.of(worker.handlers, options)
    offers = Offers(capacity, GivenUp(runtime.clock), runtime)
    parts = Parts(
        runtime, options, worker.handlers, offers, keeper, execution, Telemetry(), lifespan
    )
    try:
        if lifespan is not None:
            lifespan.open()
        try:
            job = _JobRun(parts, task, keeper.clock(), LEASE_SECONDS, platform)
            with keeper.losing_after(cancel_after):
                verdict = job.run()
        finally:
            if lifespan is not None:
                lifespan.close()
    finally:
        keeper.close()
        execution.close()
    error = _error_of(verdict, task, keeper)
    if error is not None:
        return JobRun(None, task.attempt, error=error)
    return JobRun(platform.output, task.attempt, platform.artifacts)


def _error_of(verdict: Verdict, task: TaskContext, keeper: _Keeper) -> BaseException | None:
    if verdict.outcome is Outcome.SETTLED:
        return None
    if verdict.error is not None:
        return verdict.error
    if verdict.outcome is Outcome.REFUSED:
        return SubmitValidationFailed(task.job_id, verdict.validation_errors)
    if keeper.loss is Loss.HELD_TOO_LONG:
        return TimeoutError(verdict.reason)
    return TaskCancelled(task.job_id, verdict.reason)


class _Platform:
    """Answers the heartbeats and the submits of one job, in memory."""

    def __init__(self, refuse: Refuse | None) -> None:
        self._refuse = refuse
        self.output: JsonObject | None = None
        self.artifacts: list[Artifact] = []

    def send(self, call: Any, timeout: float | None = None) -> Reply:  # noqa: ARG002
        """Answer a call."""
        if call.path.endswith("/heartbeat"):
            return _answer(200, {"data": {}})
        body = json.loads(json.dumps(call.body, allow_nan=False))
        found = self._refuse(body["output_envelope"]) if self._refuse is not None else []
        if found:
            detail = {"error": found[0], "code": "validation_failed", "validation_errors": found}
            return _answer(422, {"detail": detail})
        self.output, self.artifacts = body["output_envelope"], body["artifacts"]
        return _answer(200, {"data": {"settled": True, "job_status": "succeeded"}})

    def abort(self) -> None:
        """Do nothing: an answer in memory takes no time."""

    def close(self) -> None:
        """Do nothing: there are no connections."""


def _answer(status: int, body: JsonObject) -> Reply:
    return Reply(status, {"content-type": "application/json"}, json.dumps(body).encode())


class _Keeper(LeaseKeeper):
    """Keeps one lease, which a test may lose."""

    _held: Lease | None = None

    def hold(self, *arguments: Any, **options: Any) -> Lease:
        """Hold the lease, as every keeper does."""
        self._held = super().hold(*arguments, **options)
        return self._held

    @property
    def loss(self) -> Loss | None:
        """Why the lease was lost, or None."""
        return self._held.loss if self._held is not None else None

    @contextmanager
    def losing_after(self, seconds: float | None) -> Iterator[None]:
        """Lose the lease in so many seconds, while the context lasts."""
        over = self._runtime.event()

        def lose() -> None:
            if not over.wait(seconds) and self._held is not None:
                self.lose(self._held, Loss.GONE)

        if seconds is not None:
            self._runtime.start(lose, name="chaojiyuyan-test")
        try:
            yield
        finally:
            over.set()
