"""The worker: what a program that offers capabilities holds in its hands."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from chaojiyuyan_core import api
from chaojiyuyan_core.addresses import DEFAULT_BASE_URL, checked_api_key, checked_base_url
from chaojiyuyan_core.requests import Requests
from chaojiyuyan_core.settings import load_settings

from ._calls import Steps
from ._observe.health import IDLE, Health
from ._run.handlers import Function, Handler, checked_concurrency
from ._run.options import Publishing, RunOptions
from ._run.run import Run
from ._run.runtime import Runtime
from ._run.wire import wire_factory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Executor
    from types import TracebackType
    from typing import TypedDict

    import httpx
    from typing_extensions import Self, Unpack

    from chaojiyuyan_core.models import Registration

    class Options(TypedDict, total=False):
        """The keyword arguments of :class:`Worker`."""

        publish_artifacts: bool
        artifact_license: str | None
        artifact_tags: Sequence[str] | None
        http_client: httpx.Client | None
        concurrency: int
        executor: Executor | None
        graceful_shutdown_timeout: float


TIMEOUT = 30.0
"""Seconds that connecting, writing or reading may stand still, each."""


class Worker(Steps):
    """Pulls jobs of the capabilities it has handlers for, runs them, and submits what they return.

    ::

        worker = Worker.from_env(concurrency=4)

        @worker.handler("text.upper")
        def upper(task: TaskContext) -> dict[str, object]:
            return {"text": task.input["text"].upper()}

        worker.run()

    :param api_key: the agent key. An ``http_client`` that authorizes by itself needs none.
    :param base_url: where the API is; production by default.
    :param publish_artifacts: publish every output as an artifact.
    :param artifact_license: an SPDX identifier for what is published.
    :param artifact_tags: tags for what is published.
    :param http_client: a client to use instead of our own; its base URL and headers win over ours,
        and it is never closed here.
    :param concurrency: how many jobs may be in hand at a time, all handlers together. At 1, plain
        handlers run on the thread that called :meth:`run`; above, each on a thread of its own.
        A handler's own ``concurrency`` raises it where that is higher.
    :param executor: any ``concurrent.futures.Executor``, such as a ``ProcessPoolExecutor``; it runs
        the handlers that have none of their own, and is never shut down here.
    :param graceful_shutdown_timeout: seconds that jobs in hand may take once the worker is stopped.
    :raises ValueError: the key, the base URL or a number is not usable.
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
        executor: Executor | None = None,
        graceful_shutdown_timeout: float = 25.0,
    ) -> None:
        if api_key is not None or http_client is None:
            api_key = checked_api_key(api_key or "")
        self.api_key = api_key or ""
        self.base_url = checked_base_url(base_url)
        super().__init__(
            Requests(api_key, self.base_url, timeout=TIMEOUT, source="worker"),
            http_client,
            Publishing(publish_artifacts, artifact_license, artifact_tags),
        )
        self.concurrency = checked_concurrency(concurrency)
        self.executor = executor
        self._grace = graceful_shutdown_timeout
        self._handlers: dict[str, Handler] = {}
        self._run: Run | None = None

    @classmethod
    def from_env(cls, *, profile: str | None = None, **options: Unpack[Options]) -> Self:
        """Make a worker with the key and base URL of the environment, or of the credentials file.

        :param profile: the profile of the credentials file.
        :param options: the keyword arguments of :class:`Worker`.
        :raises ValueError: there is no key.
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
        executor: Executor | None = None,
        timeout: float | None = None,
    ) -> Callable[[Function], Function]:
        """Make a function the handler of a capability; it is returned as it is.

        It takes a :class:`TaskContext` and returns the output envelope, a dict that JSON can carry.
        It may be ``async``. One that raises is tried again, unless by ``NonRetryableError``.

        :param capability_key: the capability; the last handler named for it counts.
        :param concurrency: how many of its jobs may be in hand at a time; the worker's by default.
        :param executor: where it runs; the function must then be importable there.
        :param timeout: seconds after which a run is given up: ``task.cancelled`` is set, a
            coroutine is cancelled, the job goes to another worker.
        :raises ValueError: a parameter is out of its range.
        """

        def decorate(function: Function) -> Function:
            self._handlers[capability_key] = Handler(
                capability_key, function, concurrency, executor, timeout
            )
            return function

        return decorate

    def register_handlers(self, *capability_keys: str) -> Registration:
        """``POST /kernel-agents/me/capabilities``: register capabilities, 50 at a time.

        :param capability_keys: those of the handlers by default; without any, nothing is sent.
        :returns: ``registered`` and ``skipped_unknown``, which the catalog does not have.
        :raises HebingAPIError: the platform refuses.
        """
        keys = list(capability_keys or self._handlers)
        total: Registration = {"registered": [], "skipped_unknown": []}
        for start in range(0, len(keys), api.MAX_KEYS_PER_REGISTRATION):
            batch = keys[start : start + api.MAX_KEYS_PER_REGISTRATION]
            result = self._sent(api.register_capabilities(batch))
            total["registered"] += result["registered"]
            total["skipped_unknown"] += result["skipped_unknown"]
        return total

    def run(
        self,
        poll_interval: float = 1.0,
        max_retries: int = 2,
        *,
        heartbeat_interval: float = 10.0,
        auto_register: bool = True,
        once: bool = False,
    ) -> None:
        """Work until :meth:`stop`, SIGTERM or SIGINT; what is in hand then is finished first.

        On the main thread the two signals are owned while it runs; a second one ends the process.

        :param poll_interval: seconds between polls when there has long been no work, at least. A
            platform that holds polls back until there is a job (RFC 7240) is asked to.
        :param max_retries: how often a handler is run again that raised, or whose output the
            platform refused.
        :param heartbeat_interval: seconds between the heartbeats of a job. Above the length of the
            lease none is sent, which a test may want.
        :param auto_register: register the handlers' capabilities at the start.
        :param once: do one polling cycle: work off what one poll offers, then return.
        :raises RuntimeError: there is no handler, or the worker is running already.
        :raises ValueError: the heartbeat interval is not above 0.
        :raises HebingAPIError: the key is rejected.
        :raises WorkerNotEnabled: without ``auto_register``, nothing is registered.
        :raises ExecutorBroken: an executor takes no more work.
        :raises WorkerError: the time to drain was over before the jobs in hand were done.
        """
        if not self._handlers:
            raise RuntimeError("No handlers registered: decorate a function with @worker.handler")
        if self._run is not None:
            raise RuntimeError("the worker is running already")
        if heartbeat_interval <= 0:
            raise ValueError(f"heartbeat_interval must be above 0 s, not {heartbeat_interval}")
        options = RunOptions(
            concurrency=checked_concurrency(self.concurrency),
            executor=self.executor,
            publishing=self._publishing,
            poll_interval=poll_interval,
            heartbeat_interval=heartbeat_interval,
            max_retries=max_retries,
            auto_register=auto_register,
            graceful_shutdown_timeout=self._grace,
        )
        new_wire = wire_factory(self._requests, self._http_client)
        self._run = Run(Runtime(), new_wire, options, dict(self._handlers))
        try:
            self._run.run(once=once)
        finally:
            self._run = None

    def run_sse(
        self,
        poll_interval: float = 1.0,
        max_retries: int = 2,
        *,
        heartbeat_interval: float = 10.0,
        auto_register: bool = True,
        once: bool = False,
    ) -> None:
        """Warn that there is no event stream, and :meth:`run`."""
        warnings.warn("the platform has no event stream: run_sse() polls, as run()", stacklevel=2)
        self.run(
            poll_interval,
            max_retries,
            heartbeat_interval=heartbeat_interval,
            auto_register=auto_register,
            once=once,
        )

    def stop(self) -> None:
        """Have :meth:`run` finish what is in hand and return; from any thread, also a handler's.

        Does nothing when the worker is not running.
        """
        run = self._run
        if run is not None:
            run.stop()

    def health(self) -> Health:
        """Return whether the worker is alive and ready, for probes."""
        run = self._run
        return IDLE if run is None else run.health()

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
