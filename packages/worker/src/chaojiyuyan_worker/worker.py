"""The worker, the main class for programs that offer capabilities."""

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
    """Gets jobs for the capabilities of its handlers, runs the handlers, and submits the outputs.

    ::

        worker = Worker.from_env(concurrency=4)

        @worker.handler("text.upper")
        def upper(task: TaskContext) -> dict[str, object]:
            return {"text": task.input["text"].upper()}

        worker.run()

    Attributes:
        api_key: The agent key, or an empty string.
        base_url: The base URL of the platform, without a trailing slash.
        concurrency: Maximum number of running jobs of all handlers together.
        executor: The executor of handlers without their own.
        lifespan_function: The function that was decorated with :meth:`lifespan`, or None.

    Args:
        api_key: The agent key. It may be missing when ``http_client`` sends its own authorization.
        base_url: The base URL of the platform, by default the production platform.
        publish_artifacts: Whether to publish every output as an artifact.
        artifact_license: The SPDX identifier of the licence for published artifacts.
        artifact_tags: The tags of published artifacts.
        http_client: An ``httpx.Client`` to use. Its base URL, headers and timeout win. The worker
            never closes it.
        concurrency: Maximum number of running jobs of all handlers together. With 1, plain handlers
            run on the thread that called :meth:`run`. With more, each runs on its own thread. A
            higher ``concurrency`` of a handler raises this number.
        executor: A ``concurrent.futures.Executor``, such as a ``ProcessPoolExecutor``, for handlers
            without their own. It gets at most as many jobs as it has workers. The worker never
            shuts it down.
        graceful_shutdown_timeout: Maximum seconds for running jobs after the worker was stopped.

    Raises:
        ValueError: The key, the base URL or a number is invalid.
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
        """Return a worker with the key and base URL of the environment or the credentials file.

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
        """Return a decorator that makes a function the handler of a capability.

        The function has the parameters ``(task)``, ``(data)`` or ``(data, task)``. The task is a
        :class:`TaskContext`. The data is the input of the job, converted to the type of ``input``
        or of the first parameter's annotation. The function returns the output: a dict that can be
        written as JSON, a dataclass or a pydantic object. It may be ``async``. After an exception
        the handler is retried, unless it raised ``NonRetryableError``.

        Types of data may be dataclasses, TypedDicts and pydantic models. Their fields may be
        strings, numbers, booleans, None, lists, dicts, unions, literals and other such types. JSON
        types are not converted, except that an integer is accepted as a float. Unknown fields are
        ignored. When an input does not match, the job is given up before any work, with
        ``InvalidInput``. An output that does not match is treated like an output that the platform
        refused.

        Args:
            capability_key: The key of the capability. A second handler replaces the first.
            concurrency: Maximum number of its running jobs, by default the worker's.
            executor: The executor for the handler, which must be able to import the function.
            timeout: Seconds from its start after which a run is given up: ``task.cancelled`` is
                set, a coroutine is cancelled, and the job goes to another worker.
            input: The type of the input, by default the annotation of the first parameter.
            output: The type of the output, by default the return annotation if it is a dataclass,
                a TypedDict or a pydantic model.

        Returns:
            The decorator, which returns the function unchanged.

        Raises:
            TypeError: The function cannot be called in this way, or a type is not supported.
            ValueError: An argument is out of range.
        """

        def decorate(function: Function) -> Function:
            self._handlers[capability_key] = Handler(
                capability_key, function, concurrency, executor, timeout, input, output
            )
            return function

        return decorate

    def lifespan(self, function: LifespanT) -> LifespanT:
        """Decorate a function that opens and closes resources of the handlers.

        The function is a plain or ``async`` generator function that yields once, or a function that
        returns a context manager. It has no parameter, or the worker as its parameter. The yielded
        value is ``task.state``.

        :meth:`run` opens it before the first poll and closes it after the last submit, also after
        an error. It stays open when abandoned handlers may still use it. An async function runs on
        the event loop of the async handlers. When it raises an exception, :meth:`run` raises the
        exception and bids on no job. For process pools, see :class:`lifespan_initializer`.

        Args:
            function: The function.

        Returns:
            The function, unchanged.
        """
        self.lifespan_function = function
        return function

    def register_handlers(self, *capability_keys: str) -> Registration:
        """Register capabilities (``POST /kernel-agents/me/capabilities``), 50 per request.

        Args:
            *capability_keys: The keys, by default those of the handlers. Without any keys, nothing
                is sent.

        Returns:
            The keys in ``registered``, and in ``skipped_unknown`` those that the catalog does not
            have.

        Raises:
            HebingAPIError: The platform refuses the request.
        """
        return self._calls.register(capability_keys or list(self._handlers))

    def available(self, *, limit: int = 10, capability_key: str | None = None) -> list[TaskInfo]:
        """Return the offered jobs (``GET /kernel-jobs/available``).

        Args:
            limit: Maximum number of jobs, at most 50.
            capability_key: Filter by capability. By default, jobs of all registered capabilities.

        Returns:
            The offers, without malformed rows.

        Raises:
            WorkerNotEnabled: The agent has no registered capabilities.
        """
        return self._calls.available(limit, capability_key)

    def bid(self, job_id: str) -> BidResult:
        """Bid on a job (``POST /kernel-jobs/{id}/bid``). An award starts its lease.

        Args:
            job_id: The id of the job.

        Returns:
            The award, with ``task_run_id`` and ``lease_expires_at``.

        Raises:
            BidRejected: Another worker has the job, or its bid window has ended.
            WorkerNotEnabled: The agent has no registered capabilities.
            CapabilityNotRegistered: The agent has not registered the capability of the job.
        """
        return self._calls.bid(job_id)

    def heartbeat(self, job_id: str) -> LeaseInfo:
        """Extend a lease to its full length from now (``POST /kernel-jobs/{id}/heartbeat``).

        Args:
            job_id: The id of a job that was awarded to this worker.

        Returns:
            The new ``lease_expires_at``.

        Raises:
            TaskRunNotFound: The job was re-routed, or belongs to another agent.
            LeaseExpired: The lease has expired.
        """
        return self._calls.heartbeat(job_id)

    def submit(
        self, job_id: str, output: Mapping[str, object], *, artifacts: Sequence[Artifact] = ()
    ) -> SubmitResult:
        """Settle a job (``POST /kernel-jobs/{id}/submit``), with retries until it is answered.

        Nothing is sent after the lease from :meth:`bid` or :meth:`heartbeat` has expired.

        Args:
            job_id: The id of a job that was awarded to this worker.
            output: The output.
            artifacts: The artifacts of the job.

        Returns:
            The settlement, with ``payout_nc`` in nc.

        Raises:
            SubmitValidationFailed: The output does not match the capability.
            TaskRunNotFound: The job was re-routed, or is already settled. ``may_be_settled`` says
                whether an attempt of this call may have settled it.
            LeaseExpired: The lease has expired.
        """
        return self._calls.submit(self._publishing.submit(job_id, output, artifacts), job_id)

    def close(self) -> None:
        """Close the connections. An `http_client` that was passed in stays open."""
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
        """Run until :meth:`stop`, SIGTERM or SIGINT, and then finish the running jobs.

        On the main thread, this method handles the two signals while it runs. A second signal stops
        the process at once.

        Args:
            poll_interval: Seconds between idle polls. Polls use long-polling (``Prefer: wait``,
                RFC 7240) when the platform supports it.
            max_retries: Maximum number of retries of a handler after an exception or a refused
                output.
            heartbeat_interval: Seconds between the heartbeats of a job. The default is reduced to
                half of a short lease. With another value that is longer than the lease, no
                heartbeats are sent, which is useful in tests.
            auto_register: Whether to register the capabilities of the handlers at the start.
            once: Whether to poll once, run the offered jobs and return.

        Raises:
            RuntimeError: There is no handler, or the worker is already running.
            ValueError: The heartbeat interval is not above 0.
            HebingAPIError: The API refuses the key; with ``once``, also another error of the poll.
            httpx.HTTPError: With ``once``: the connection of the poll failed.
            WorkerNotEnabled: Without ``auto_register``: no capability is registered.
            ExecutorBroken: An executor accepts no more work.
            WorkerError: The running jobs did not end within the graceful shutdown timeout.
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
        """Warn that the platform has no event stream, and then do the same as :meth:`run`."""
        warnings.warn("the platform has no event stream: run_sse() polls like run()", stacklevel=2)
        self.run(
            poll_interval,
            max_retries,
            heartbeat_interval=heartbeat_interval,
            auto_register=auto_register,
            once=once,
        )

    def stop(self) -> None:
        """Make :meth:`run` finish the running jobs and return.

        It may be called from any thread, also from a handler. It does nothing when the worker is
        not running.
        """
        if (run := self._run) is not None:
            run.stop()

    def health(self) -> Health:
        """Return the health of the worker, for probes."""
        run = self._run
        if run is None:
            return IDLE
        return replace(run.health(), progress=self._metrics.progress())

    def metrics(self) -> str:
        """Return the metrics in the Prometheus text format, the same as ``GET /metrics``."""
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
"""The name of the class before 0.4.0."""
