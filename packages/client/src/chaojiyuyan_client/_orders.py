"""How both clients order jobs: one, many, or as the tools of an agent."""

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
    """The orders of the sync client."""

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
        """Post a job (``POST /kernel-jobs``) and return it at once.

        Args:
            capability_key: The capability, for example ``test.echo.v1``.
            input_payload: The input, as the capability describes it: a mapping, a pydantic model or
                (name, value) pairs.
            idempotency_key: A key of your own; a repeat with the same one returns the original job.
            timeout_sec: Seconds after which the platform gives the job up.
            channel_context: An object that says where the job comes from; passed on as it is.
            max_price_nc: What the job may cost, in nc. The price is the catalog's, which is
                remembered for five minutes.
            reuse: ``"input"`` returns the earlier job of the same capability with an equal input
                (RFC 8785), if there is one, and pays once.
            validate: Whether to check the input against the catalog's schema first; needs the extra
                ``chaojiyuyan-client[validate]``.

        Raises:
            BadRequestError: The capability is unknown (``unknown_capability``), or the input does
                not match it.
            PriceTooHigh: It costs more than `max_price_nc`, or its price is unknown.
            BudgetExceeded: It does not fit into the client's `budget_nc`.
            InputInvalid: The input does not match the catalog's schema.
            TypeError: The input is not an object.
            ValueError: Both `reuse` and `idempotency_key` are given.
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
        """Post a job, wait for it and return its output: ``call``, ``wait`` and ``result`` in one.

        Args:
            capability_key: See :meth:`call`.
            input_payload: See :meth:`call`.
            timeout: Seconds for all of it; the job itself goes on past them.
            poll_interval: See :meth:`wait`.
            idempotency_key: See :meth:`call`.
            timeout_sec: See :meth:`call`.
            channel_context: See :meth:`call`.
            max_price_nc: See :meth:`call`.
            reuse: See :meth:`call`.
            validate: See :meth:`call`.

        Raises:
            JobFailed: The job ended other than succeeded.
            JobTimeout: It did not end in time; `job_id` says which to go on waiting for.
            httpx.HTTPError: It could not be posted in time.
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
        """Post a job for each input, some at a time, and yield what came of each.

        Nothing is ordered before the first result is asked for, and nothing more once the loop is
        left; jobs that are open then go on.

        Args:
            capability_key: See :meth:`call`.
            inputs: The inputs, each as `call` takes one; there may be endlessly many. Their
                exception is raised after the results of what was ordered.
            concurrency: Maximum number of inputs that are taken and not yet yielded.
            ordered: Whether results come in the order of the inputs, else as the jobs end.
            return_exceptions: Whether an error is part of its result, else raised.
            timeout: Seconds for each job; the job itself goes on past them.
            idempotency_prefix: A name of this batch. A second run with the same one, also after a
                crash, yields every result again and orders nothing twice.
            retry_failed: Whether jobs that failed in an earlier run are ordered again.
            **options: `timeout_sec`, `channel_context`, `max_price_nc`, `reuse` and `validate`, see
                :meth:`call`.

        Raises:
            JobFailed: A job ended other than succeeded, without `return_exceptions`; likewise
                whatever else :meth:`run` raises.
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
        """Return capabilities as tools of an agent, in no framework's own form.

        Args:
            *capability_keys: The capabilities; all of the catalog without any.
            approve: A function of the tool and the checked input, sync or async, that is asked
                before each order: what it returns false for is not ordered. With it, an order
                never costs more than the tool's price.
            max_price_nc: What one job may cost, in nc; None for any price.
            timeout: Seconds for each call; the job itself goes on past them.

        Raises:
            ValueError: The catalog has no such capability.
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
    """The orders of the async client; each method is described at its twin's."""

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
        """Post a job (``POST /kernel-jobs``) and return it at once."""
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
        """Post a job, wait for it and return its output."""
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
        """Post a job for each input, some at a time, and yield what came of each."""
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
        """Return capabilities as tools of an agent, in no framework's own form."""
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
