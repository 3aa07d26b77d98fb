"""Test handlers without a network: run a job in memory instead of on the platform."""

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
    """The result of a job under test.

    Attributes:
        output: The accepted output in the form that the platform would get, or None.
        attempts: The number of attempts, including one that an invalid input prevented.
        artifacts: The submitted artifacts.
        error: Why the job did not succeed: the last exception of the handler, ``TimeoutError``,
            :class:`TaskCancelled` or :class:`SubmitValidationFailed`. None when it succeeded.
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
    """Run a worker's handler like a job, and return its output.

    Args:
        worker: The worker. Its lifespan is opened before the job and closed after it.
        capability_key: The key of the handler's capability.
        payload: The input of the job. Input and output are converted to JSON and back.
        max_retries: Maximum number of retries after an exception or a refused output.
        cancel_after: Seconds from the start after which the lease is lost; None never loses it.
        refuse: Called with each output instead of the platform's validation. It returns the
            problems, one string each, or an empty list.

    Returns:
        The output in the form that the platform would get.

    Raises:
        LookupError: The worker has no handler for the capability.
        TypeError: The output is not an object, or contains a type that JSON does not have.
        ValueError: The input or the output contains NaN, an infinity or a cycle.
        TimeoutError: The handler ran longer than its ``timeout``.
        TaskCancelled: The lease was lost.
        SubmitValidationFailed: The last output was refused or does not match its type.
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
    """Run a worker's handler like a job, and return the result of the job.

    Args:
        worker: See :func:`run`.
        capability_key: See :func:`run`.
        payload: See :func:`run`.
        max_retries: See :func:`run`.
        cancel_after: See :func:`run`.
        refuse: See :func:`run`.

    Returns:
        The output and the attempts, or the error. A failed job does not raise an exception.

    Raises:
        LookupError: The worker has no handler for the capability.
        ValueError: The input contains NaN, an infinity or a cycle.
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
    """Responds to the heartbeats and the submits of one job in memory."""

    def __init__(self, refuse: Refuse | None) -> None:
        self._refuse = refuse
        self.output: JsonObject | None = None
        self.artifacts: list[Artifact] = []

    def send(self, call: Any, timeout: float | None = None) -> Reply:  # noqa: ARG002
        """Respond to a call."""
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
        """Do nothing, because a response in memory takes no time."""

    def close(self) -> None:
        """Do nothing, because there are no connections."""


def _answer(status: int, body: JsonObject) -> Reply:
    return Reply(status, {"content-type": "application/json"}, json.dumps(body).encode())


class _Keeper(LeaseKeeper):
    """A keeper of one lease that a test can lose."""

    _held: Lease | None = None

    def hold(self, *arguments: Any, **options: Any) -> Lease:
        """Hold the lease, and remember it."""
        self._held = super().hold(*arguments, **options)
        return self._held

    @property
    def loss(self) -> Loss | None:
        """Why the lease was lost, or None."""
        return self._held.loss if self._held is not None else None

    @contextmanager
    def losing_after(self, seconds: float | None) -> Iterator[None]:
        """Return a context manager that loses the lease after a time.

        Args:
            seconds: Seconds from the start; None never loses it.
        """
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
