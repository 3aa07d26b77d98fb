"""The worker: what a program that offers capabilities holds in its hands."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from chaojiyuyan_core.addresses import DEFAULT_BASE_URL, checked_api_key, checked_base_url
from chaojiyuyan_core.annotations import Self, Unpack
from chaojiyuyan_core.http import RequestBuilder, Transport
from chaojiyuyan_core.models import (
    Artifact,
    BidResult,
    LeaseInfo,
    Registration,
    SubmitResult,
    TaskInfo,
)
from chaojiyuyan_core.settings import load_settings

from ._calls import Calls
from ._observe.health import IDLE, Health
from ._observe.metrics import Metrics
from ._run.given_up import GivenUp
from ._run.handlers import Function, Handler, check_concurrency
from ._run.lifespan import Lifespan
from ._run.options import Publishing, RunOptions, WorkerOptions
from ._run.run import Run
from ._run.runtime import Runtime
from ._run.schedule import DEFAULT_HEARTBEAT_INTERVAL

if TYPE_CHECKING:
    from concurrent import futures

    import httpx

    from ._run.lifespan import LifespanFunction
else:
    from chaojiyuyan_core.annotations import futures, httpx

LifespanT = TypeVar("LifespanT", bound="LifespanFunction")


class Worker:
    """Pulls jobs of the capabilities it has handlers for, runs them, and submits what they return.

    ::

        worker = Worker.from_env(concurrency=4)

        @worker.handler("text.upper")
        def upper(task: TaskContext) -> dict[str, object]:
            return {"text": task.input["text"].upper()}

        worker.run()

    Attributes:
        api_key: The agent key, or an empty text.
        base_url: The platform's base URL, without a trailing slash.
        concurrency: How many jobs may run at a time, all handlers together.
        executor: Runs the handlers that have none of their own.
        lifespan_function: What :meth:`lifespan` was put on, or None.

    Args:
        api_key: The agent key. An ``http_client`` that authorizes by itself needs none.
        base_url: The platform's base URL; production by default.
        publish_artifacts: Publish every output as an artifact.
        artifact_license: An SPDX identifier for what is published.
        artifact_tags: Tags for what is published.
        http_client: A client to use instead of our own; its base URL, headers and timeout win, and
            it is never closed here.
        concurrency: How many jobs may run at a time, all handlers together. At 1, plain handlers
            run on the thread that called :meth:`run`; above, each on a thread of its own. A
            handler's own ``concurrency`` raises it where that is higher.
        executor: Any ``concurrent.futures.Executor``, such as a ``ProcessPoolExecutor``. It runs
            the handlers that have none of their own, gets no more jobs than it has workers, and is
            never shut down here.
        graceful_shutdown_timeout: Seconds that running jobs may take once the worker is stopped.

    Raises:
        ValueError: The key, the base URL or a number is not usable.
    """

    DEFAULT_BASE_URL = DEFAULT_BASE_URL

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        *,
        publish_artifacts: bool = False,
        artifact_license: str | None = None,
        artifact_tags: Sequence[str] | None = None,
        http_client: httpx.Client | None = None,
        concurrency: int = 1,
        executor: futures.Executor | None = None,
        graceful_shutdown_timeout: float = 25.0,
    ) -> None:
        if api_key is not None or http_client is None:
            api_key = checked_api_key(api_key or "")
        self.api_key = api_key or ""
        self.base_url = checked_base_url(base_url)
        self.concurrency = check_concurrency(concurrency)
        self.executor = executor
        self._grace = graceful_shutdown_timeout
        self._publishing = Publishing(publish_artifacts, artifact_license, artifact_tags)
        self._http_client = http_client
        self._builder = RequestBuilder(api_key, self.base_url, source="worker")
        self._runtime = Runtime()
        self._given_up = GivenUp(self._runtime.clock)
        self._metrics = Metrics(self._runtime)
        self._calls = Calls(lambda: self._connect(1), self._runtime)
        self._handlers: dict[str, Handler] = {}
        self.lifespan_function: LifespanFunction | None = None
        self._run: Run | None = None

    @classmethod
    def from_env(cls, *, profile: str | None = None, **options: Unpack[WorkerOptions]) -> Self:
        """Make a worker with the key and base URL of the environment, or of the credentials file.

        Args:
            profile: The profile of the credentials file.
            **options: The keyword arguments of :class:`Worker`.

        Raises:
            ValueError: There is no key.
        """
        settings = load_settings(profile=profile)
        return cls(settings.api_key, settings.base_url, **options)

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The handlers by capability."""
        return self._handlers

    def handler(
        self,
        capability_key: str,
        *,
        concurrency: int | None = None,
        executor: futures.Executor | None = None,
        timeout: float | None = None,
        input: Any = None,  # noqa: A002 - what an author would call it
        output: Any = None,
    ) -> Callable[[Function], Function]:
        """Make a function the handler of a capability and return it as it is.

        It takes ``(task)``, ``(data)`` or ``(data, task)``: the task is a :class:`TaskContext`, the
        data is the job's input, as the type of ``input`` or of the first parameter's annotation. It
        returns the output envelope: a dict that JSON can carry, a dataclass or a pydantic object.
        It may be ``async``. One that raises is run again, unless it raises ``NonRetryableError``.

        The types of data may be dataclasses, TypedDicts and pydantic models, and in them text,
        numbers, booleans, None, lists, dicts, unions, literals and further such types. JSON types
        are not converted, but an integer is a float; unknown fields are ignored. An input that does
        not fit gives the job up before any work, as ``InvalidInput``. An output that does not fit
        is treated as one that the platform refused.

        Args:
            capability_key: The capability; the last handler named for it counts.
            concurrency: How many of its jobs may run at a time; the worker's by default.
            executor: Where it runs; the function must then be importable there.
            timeout: Seconds, from its start, after which a run is given up: ``task.cancelled`` is
                set, a coroutine is cancelled, the job goes to another worker.
            input: The type of the input; by default that of the first parameter's annotation.
            output: The type of the output; by default the return annotation, if that is a
                dataclass, a TypedDict or a pydantic model.

        Raises:
            TypeError: The function cannot be called like that, or a type is not supported.
            ValueError: A parameter is out of its range.
        """

        def decorate(function: Function) -> Function:
            self._handlers[capability_key] = Handler(
                capability_key, function, concurrency, executor, timeout, input, output
            )
            return function

        return decorate

    def lifespan(self, function: LifespanT) -> LifespanT:
        """Have a function open what the handlers share, and close it; return it as it is.

        It is a generator function, plain or ``async``, that yields once, or a function that returns
        a context manager. It takes no parameter or the worker. :meth:`run` opens it once before the
        first poll and closes it once after the last submit is answered, also when the worker ends
        by an error, but not while handlers that were abandoned may still use it. What it yields is
        ``task.state``. An async one runs on the event loop of the async handlers. If it raises,
        :meth:`run` raises that, and no job is bid on. For process pools see
        :class:`lifespan_initializer`.

        Args:
            function: The function.
        """
        self.lifespan_function = function
        return function

    def register_handlers(self, *capability_keys: str) -> Registration:
        """Register capabilities: ``POST /kernel-agents/me/capabilities``, 50 at a time.

        Args:
            *capability_keys: Those of the handlers by default; without any, nothing is sent.

        Returns:
            ``registered`` and ``skipped_unknown``, which the catalog does not have.

        Raises:
            HebingAPIError: The platform refuses.
        """
        return self._calls.register(capability_keys or list(self._handlers))

    def available(self, *, limit: int = 10, capability_key: str | None = None) -> list[TaskInfo]:
        """List the jobs that may be bid on: ``GET /kernel-jobs/available``.

        Args:
            limit: The most jobs, 50 at most.
            capability_key: Only this capability's; all that are registered by default.

        Returns:
            The offers; malformed rows are left out.

        Raises:
            WorkerNotEnabled: The agent has registered nothing.
        """
        return self._calls.available(limit, capability_key)

    def bid(self, job_id: str) -> BidResult:
        """Ask for a job: ``POST /kernel-jobs/{id}/bid``. An award starts its lease.

        Args:
            job_id: The job.

        Returns:
            The award, with ``task_run_id`` and ``lease_expires_at``.

        Raises:
            BidRejected: Another worker has it, or its bid window is over.
            WorkerNotEnabled: The agent has registered nothing.
            CapabilityNotRegistered: The agent has not registered its capability.
        """
        return self._calls.bid(job_id)

    def heartbeat(self, job_id: str) -> LeaseInfo:
        """Extend a lease: ``POST /kernel-jobs/{id}/heartbeat`` sets it to its full length from now.

        Args:
            job_id: The job, awarded to this worker.

        Raises:
            TaskRunNotFound: The job was re-routed, or is not this agent's.
            LeaseExpired: The lease expired.
        """
        return self._calls.heartbeat(job_id)

    def submit(
        self, job_id: str, output: Mapping[str, object], *, artifacts: Sequence[Artifact] = ()
    ) -> SubmitResult:
        """Settle a job: ``POST /kernel-jobs/{id}/submit``, repeated until it is answered.

        Nothing is sent once the lease that :meth:`bid` or :meth:`heartbeat` brought has expired.

        Args:
            job_id: The job, awarded to this worker.
            output: The output envelope.
            artifacts: What the job has produced besides.

        Raises:
            SubmitValidationFailed: The output does not fit the capability.
            TaskRunNotFound: The job was re-routed, or settled already; ``may_be_settled`` says
                whether an attempt of this call may have settled it.
            LeaseExpired: The lease expired.
        """
        return self._calls.submit(self._publishing.submit(job_id, output, artifacts), job_id)

    def close(self) -> None:
        """Close the connections; a client that was handed in stays open."""
        self._calls.close()

    def run(
        self,
        poll_interval: float = 1.0,
        max_retries: int = 2,
        *,
        heartbeat_interval: float = DEFAULT_HEARTBEAT_INTERVAL,
        auto_register: bool = True,
        once: bool = False,
    ) -> None:
        """Work until :meth:`stop`, SIGTERM or SIGINT; the running jobs are finished first.

        On the main thread the two signals are owned while it runs; a second one ends the process.

        Args:
            poll_interval: Seconds between idle polls. A platform that holds polls until there is a
                job (RFC 7240) is asked to.
            max_retries: How often a handler is run again that raised, or whose output the platform
                refused.
            heartbeat_interval: Seconds between the heartbeats of a job. The default shrinks to half
                of a short lease. Any other value above the length of the lease sends none, which a
                test may want.
            auto_register: Register the handlers' capabilities at the start.
            once: Do one polling cycle: work off what one poll offers, then return.

        Raises:
            RuntimeError: There is no handler, or the worker is running already.
            ValueError: The heartbeat interval is not above 0.
            HebingAPIError: The API refuses the key; with ``once``, also another error of the poll.
            httpx.HTTPError: With ``once``: the poll met a fault on the wire.
            WorkerNotEnabled: Without ``auto_register``, nothing is registered.
            ExecutorBroken: An executor takes no more work.
            WorkerError: The time to drain was over before the running jobs were done.
        """
        if not self._handlers:
            raise RuntimeError("No handlers registered: decorate a function with @worker.handler")
        if self._run is not None:
            raise RuntimeError("the worker is running already")
        if not heartbeat_interval > 0:
            raise ValueError(f"heartbeat_interval must be above 0 s, not {heartbeat_interval}")
        options = RunOptions(
            concurrency=check_concurrency(self.concurrency),
            executor=self.executor,
            publishing=self._publishing,
            poll_interval=poll_interval,
            heartbeat_interval=heartbeat_interval,
            max_retries=max_retries,
            auto_register=auto_register,
            graceful_shutdown_timeout=self._grace,
        )
        handlers = dict(self._handlers)
        new_lifespan = None
        if self.lifespan_function is not None:
            new_lifespan = partial(Lifespan, self.lifespan_function, self)
        self._run = Run(
            self._runtime,
            self._connect,
            options,
            handlers,
            self._given_up,
            new_lifespan,
            self._metrics,
        )
        try:
            self._run.run(once=once)
        finally:
            self._run = None

    def run_sse(
        self,
        poll_interval: float = 1.0,
        max_retries: int = 2,
        *,
        heartbeat_interval: float = DEFAULT_HEARTBEAT_INTERVAL,
        auto_register: bool = True,
        once: bool = False,
    ) -> None:
        """Warn that there is no event stream, and run as :meth:`run` does."""
        warnings.warn("the platform has no event stream: run_sse() polls, as run()", stacklevel=2)
        self.run(
            poll_interval,
            max_retries,
            heartbeat_interval=heartbeat_interval,
            auto_register=auto_register,
            once=once,
        )

    def stop(self) -> None:
        """Have :meth:`run` finish the running jobs and return; from any thread, also a handler's.

        Does nothing when the worker is not running.
        """
        if (run := self._run) is not None:
            run.stop()

    def health(self) -> Health:
        """Return whether the worker is alive and ready, for probes."""
        run = self._run
        if run is None:
            return IDLE
        return replace(run.health(), progress=self._metrics.progress())

    def metrics(self) -> str:
        """Return the metrics in the Prometheus text format, as ``GET /metrics`` serves them."""
        run = self._run
        slots, age = (0, 0.0) if run is None else (run.slot_count, run.poll_age)
        return self._metrics.render(self._handlers, slots=slots, poll_age=age)

    def _connect(self, connections: int) -> Transport:
        return Transport(self._builder, self._http_client, max_connections=connections)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Worker {self.base_url} {sorted(self._handlers)}>"


NexusWorker = Worker
"""The name that 0.4.0's predecessors used."""
