"""The methods of both clients that order jobs: one, many, or as tools of an agent."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator

from chaojiyuyan_core.annotations import Unpack
from chaojiyuyan_core.http import check_seconds, run, run_async
from chaojiyuyan_core.models import JsonObject

from ._arguments import ObjectLike
from ._order import OrderOptions, Reuse
from ._reads import AsyncReads, Reads
from .job import DEFAULT_CONCURRENCY, DEFAULT_POLL_INTERVAL, DEFAULT_TIMEOUT, AsyncJob, Job
from .map import MapResult, Plan
from .tools import Approve, Tool


class Orders(Reads):
    """The methods of the sync client that order jobs."""

    def call(
        self,
        capability_key: str,
        input_payload: ObjectLike | None = None,
        *,
        idempotency_key: str | None = None,
        timeout_sec: int | None = None,
        channel_context: ObjectLike | None = None,
        max_price_nc: int | None = None,
        reuse: Reuse | None = None,
        validate: bool = False,
    ) -> Job:
        """Order a job (``POST /kernel-jobs``), and return it without waiting for its end.

        Args:
            capability_key: The key of the capability, for example ``test.echo.v1``.
            input_payload: The input that the capability expects: a mapping, a pydantic model or
                (name, value) pairs.
            idempotency_key: Your own idempotency key. A repeat with the same key returns the
                original job.
            timeout_sec: Seconds after which the platform ends the job.
            channel_context: An object that describes the origin of the job. It is passed on
                unchanged.
            max_price_nc: Maximum price in nc. The price comes from the catalog, which is cached
                for five minutes.
            reuse: ``"input"`` returns an earlier job of the same capability with an equal input
                (RFC 8785) if there is one, so that it is paid once.
            validate: Whether to check the input against the catalog's schema first. This needs
                the extra ``chaojiyuyan-client[validate]``.

        Returns:
            The job.

        Raises:
            BadRequestError: The capability is unknown (``unknown_capability``), or the platform
                found the input invalid.
            PriceTooHigh: The price is higher than `max_price_nc`, or it is unknown.
            BudgetExceeded: The price exceeds the rest of the client's `budget_nc`, or it is
                unknown.
            InputInvalid: The input does not match the catalog's schema.
            TypeError: The input is not an object.
            ValueError: Both `reuse` and `idempotency_key` are given, or an option is invalid.
        """
        options: OrderOptions = {
            "timeout_sec": timeout_sec,
            "channel_context": channel_context,
            "max_price_nc": max_price_nc,
            "reuse": reuse,
            "validate": validate,
        }
        with self._tracing.span("call", capability_key):
            order = self._make_order(
                capability_key, input_payload, options, idempotency_key=idempotency_key
            )
            return Job(run(self._order(order), self._transport), self)

    def run(
        self,
        capability_key: str,
        input_payload: ObjectLike | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        poll_interval: float = DEFAULT_POLL_INTERVAL,
        idempotency_key: str | None = None,
        timeout_sec: int | None = None,
        channel_context: ObjectLike | None = None,
        max_price_nc: int | None = None,
        reuse: Reuse | None = None,
        validate: bool = False,
    ) -> JsonObject:
        """Order a job, wait for it and return its output: ``call``, ``wait`` and ``result`` in one.

        Args:
            capability_key: See :meth:`call`.
            input_payload: See :meth:`call`.
            timeout: Maximum seconds for the order and the wait. After that, the job continues.
            poll_interval: See :meth:`wait`.
            idempotency_key: See :meth:`call`.
            timeout_sec: See :meth:`call`.
            channel_context: See :meth:`call`.
            max_price_nc: See :meth:`call`.
            reuse: See :meth:`call`.
            validate: See :meth:`call`.

        Returns:
            The output of the job.

        Raises:
            JobFailed: The job ended with a status other than ``succeeded``.
            JobTimeout: The job did not end in time. Wait again for its `job_id`.
            httpx.HTTPError: The job could not be ordered in time.
        """
        options: OrderOptions = {
            "timeout_sec": timeout_sec,
            "channel_context": channel_context,
            "max_price_nc": max_price_nc,
            "reuse": reuse,
            "validate": validate,
        }
        with self._tracing.span("run", capability_key):
            order = self._make_order(
                capability_key, input_payload, options, idempotency_key=idempotency_key
            )
            flow = self._running(order, timeout=timeout, poll_interval=poll_interval)
            return Job(run(flow, self._transport))._output()

    def map(
        self,
        capability_key: str,
        inputs: Iterable[ObjectLike | None],
        *,
        concurrency: int = DEFAULT_CONCURRENCY,
        ordered: bool = True,
        return_exceptions: bool = False,
        timeout: float = DEFAULT_TIMEOUT,
        idempotency_prefix: str | None = None,
        retry_failed: bool = False,
        **options: Unpack[OrderOptions],
    ) -> Iterator[MapResult[Job]]:
        """Order a job for each input, several at a time, and yield the result of each.

        The first job is ordered when the first result is requested. Closing the iterator stops
        further orders; jobs that are already ordered continue.

        Args:
            capability_key: See :meth:`call`.
            inputs: The inputs, each as in :meth:`call`. The iterable may be infinite. An exception
                of the iterable is raised after the results of the ordered jobs.
            concurrency: Maximum number of inputs that are taken but whose result is not yielded.
            ordered: Whether results come in the order of the inputs. When false, they come as the
                jobs end.
            return_exceptions: Whether an error is returned in its result. When false, it is
                raised.
            timeout: Maximum seconds for each job. After that, the job itself continues.
            idempotency_prefix: A name for this batch. A second run with the same name, also after
                a crash, yields every result again and orders nothing twice.
            retry_failed: Whether to order jobs again that failed in an earlier run.
            **options: `timeout_sec`, `channel_context`, `max_price_nc`, `reuse` and `validate`, see
                :meth:`call`.

        Returns:
            The iterator of the results.

        Raises:
            JobFailed: A job ended with a status other than ``succeeded``. This and the other
                errors of :meth:`run` are raised only without `return_exceptions`.
            ValueError: The arguments contradict each other, or one is out of range.
            TypeError: An option is unknown.
        """
        from ._map_threads import map_on_threads, until_left

        plan = Plan(
            capability_key,
            concurrency,
            ordered,
            return_exceptions,
            timeout,
            idempotency_prefix,
            retry_failed,
            options,
        )

        def perform(index: int, item: object, is_left: Callable[[], bool]) -> Job:
            with self._tracing.span("run", capability_key):
                flow = until_left(self._mapping(plan, index, item), is_left)
                return Job(run(flow, self._transport), self)

        return map_on_threads(plan, inputs, perform)

    def tools(
        self,
        *capability_keys: str,
        approve: Approve | None = None,
        max_price_nc: int | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> list[Tool]:
        """Return capabilities as tools of an agent, independent of any framework.

        Args:
            *capability_keys: The keys of the capabilities; without keys, the whole catalog.
            approve: A sync or async function that is called with the tool and the checked input
                before each order. When it returns false, nothing is ordered. With it, an order
                never costs more than the tool's price.
            max_price_nc: Maximum price of one job in nc; None for any price.
            timeout: Maximum seconds for each call. After that, the job itself continues.

        Returns:
            The tools.

        Raises:
            ValueError: The catalog does not have one of the capabilities.
            HebingAPIError: The API refused to show the catalog.
        """
        from ._tool_orders import ThreadToolOrders

        check_seconds("timeout", timeout)

        def perform(tool: Tool, payload: JsonObject, job_ids: list[str]) -> Job:
            limit = tool.price_limit(max_price_nc, is_approved=approve is not None)
            flow = self._using(tool, payload, job_ids, max_price_nc=limit, timeout=timeout)
            with self._tracing.span("run", tool.capability_key):
                return Job(run(flow, self._transport), self)

        orders = ThreadToolOrders(approve, self._builder.redactor, perform)
        entries = run(self._catalog.read(self._retry), self._transport)
        return self._choose_tools(entries, capability_keys, orders)


class AsyncOrders(AsyncReads):
    """The methods of the async client that order jobs; see the same methods of `NexusClient`."""

    async def call(
        self,
        capability_key: str,
        input_payload: ObjectLike | None = None,
        *,
        idempotency_key: str | None = None,
        timeout_sec: int | None = None,
        channel_context: ObjectLike | None = None,
        max_price_nc: int | None = None,
        reuse: Reuse | None = None,
        validate: bool = False,
    ) -> AsyncJob:
        """Order a job (``POST /kernel-jobs``); see :meth:`NexusClient.call`."""
        options: OrderOptions = {
            "timeout_sec": timeout_sec,
            "channel_context": channel_context,
            "max_price_nc": max_price_nc,
            "reuse": reuse,
            "validate": validate,
        }
        with self._tracing.span("call", capability_key):
            order = self._make_order(
                capability_key, input_payload, options, idempotency_key=idempotency_key
            )
            return AsyncJob(await run_async(self._order(order), self._transport), self)

    async def run(
        self,
        capability_key: str,
        input_payload: ObjectLike | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        poll_interval: float = DEFAULT_POLL_INTERVAL,
        idempotency_key: str | None = None,
        timeout_sec: int | None = None,
        channel_context: ObjectLike | None = None,
        max_price_nc: int | None = None,
        reuse: Reuse | None = None,
        validate: bool = False,
    ) -> JsonObject:
        """Order a job, wait for it and return its output; see :meth:`NexusClient.run`."""
        options: OrderOptions = {
            "timeout_sec": timeout_sec,
            "channel_context": channel_context,
            "max_price_nc": max_price_nc,
            "reuse": reuse,
            "validate": validate,
        }
        with self._tracing.span("run", capability_key):
            order = self._make_order(
                capability_key, input_payload, options, idempotency_key=idempotency_key
            )
            flow = self._running(order, timeout=timeout, poll_interval=poll_interval)
            return AsyncJob(await run_async(flow, self._transport))._output()

    def map(
        self,
        capability_key: str,
        inputs: Iterable[ObjectLike | None] | AsyncIterable[ObjectLike | None],
        *,
        concurrency: int = DEFAULT_CONCURRENCY,
        ordered: bool = True,
        return_exceptions: bool = False,
        timeout: float = DEFAULT_TIMEOUT,
        idempotency_prefix: str | None = None,
        retry_failed: bool = False,
        **options: Unpack[OrderOptions],
    ) -> AsyncIterator[MapResult[AsyncJob]]:
        """Order a job for each input, and yield the results; see :meth:`NexusClient.map`."""
        from ._map_tasks import map_in_tasks

        plan = Plan(
            capability_key,
            concurrency,
            ordered,
            return_exceptions,
            timeout,
            idempotency_prefix,
            retry_failed,
            options,
        )

        async def perform(index: int, item: object) -> AsyncJob:
            with self._tracing.span("run", capability_key):
                flow = self._mapping(plan, index, item)
                return AsyncJob(await run_async(flow, self._transport), self)

        return map_in_tasks(plan, inputs, perform)

    async def tools(
        self,
        *capability_keys: str,
        approve: Approve | None = None,
        max_price_nc: int | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> list[Tool]:
        """Return capabilities as tools of an agent; see :meth:`NexusClient.tools`."""
        from ._tool_orders import LoopToolOrders

        check_seconds("timeout", timeout)

        async def perform(tool: Tool, payload: JsonObject, job_ids: list[str]) -> AsyncJob:
            limit = tool.price_limit(max_price_nc, is_approved=approve is not None)
            flow = self._using(tool, payload, job_ids, max_price_nc=limit, timeout=timeout)
            with self._tracing.span("run", tool.capability_key):
                return AsyncJob(await run_async(flow, self._transport), self)

        orders = LoopToolOrders(approve, self._builder.redactor, perform)
        entries = await run_async(self._catalog.read(self._retry), self._transport)
        return self._choose_tools(entries, capability_keys, orders)
