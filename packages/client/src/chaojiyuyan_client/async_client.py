"""The async client: the same names as the sync one's; what does I/O is awaited."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from chaojiyuyan_core import api
from chaojiyuyan_core.addresses import checked_base_url
from chaojiyuyan_core.annotations import Self, Unpack
from chaojiyuyan_core.http import (
    DEFAULT_MAX_RESPONSE_BYTES,
    AsyncTransport,
    RequestBuilder,
    TimeoutTypes,
    check_seconds,
    request,
    run_async,
)
from chaojiyuyan_core.models import Artifact, CapabilitySpec, JobEvent, JobStatus, JsonObject

from ._arguments import ObjectLike, to_id
from ._base import ClientBase
from ._order import OrderOptions, Reuse
from ._pages import JobPages
from .job import (
    DEFAULT_CONCURRENCY,
    DEFAULT_DOWNLOAD_TIMEOUT,
    DEFAULT_POLL_INTERVAL,
    DEFAULT_TIMEOUT,
    AsyncJob,
)
from .map import MapResult, Plan
from .tools import Approve, Tool

if TYPE_CHECKING:
    import os
    import pathlib
    import uuid

    import httpx

    from chaojiyuyan_core.api import Call

    from ._follow import Follower
else:
    from chaojiyuyan_core.annotations import httpx, os, pathlib, uuid

T = TypeVar("T")


class AsyncNexusClient(ClientBase):
    """The platform as a caller sees it, for an event loop: the twin of :class:`NexusClient`.

    Names, parameters, defaults and errors are the same there, and are described there. What does
    I/O is awaited, listings are async iterators, and jobs are :class:`AsyncJob`.

    Args:
        http_client: An ``httpx.AsyncClient`` to use; its own base URL, headers and timeout win, and
            it is not closed with this one.
    """

    _transport: AsyncTransport

    def __init__(
        self,
        api_key: str,
        base_url: str | None = None,
        *,
        timeout: TimeoutTypes = 30.0,
        max_retries: int = 2,
        auto_idempotency: bool = True,
        max_response_bytes: int = DEFAULT_MAX_RESPONSE_BYTES,
        budget_nc: int | None = None,
        send_traceparent: bool = True,
        http_client: httpx.AsyncClient | None = None,
    ) -> None:
        super().__init__(
            api_key,
            base_url,
            timeout=timeout,
            max_retries=max_retries,
            auto_idempotency=auto_idempotency,
            budget_nc=budget_nc,
            send_traceparent=send_traceparent,
        )
        self._transport = AsyncTransport(
            self._builder, http_client, max_response_bytes=max_response_bytes
        )
        self._builder = self._transport.builder
        if http_client is not None:
            self.timeout = http_client.timeout

    @classmethod
    async def login_device_flow(
        cls,
        *,
        base_url: str | None = None,
        client_name: str | None = None,
        timeout: float = 600.0,
        poll_interval: float = 5.0,
        print_fn: Callable[[str], object] | None = None,
        save: bool = True,
        profile: str | None = None,
    ) -> Self:
        """Log in by a browser (RFC 8628), and make a client of the key."""
        from ._login import device_login

        url = checked_base_url(base_url or cls.DEFAULT_BASE_URL)
        transport = AsyncTransport(RequestBuilder(None, url))
        try:
            flow = device_login(
                url,
                client_name=client_name,
                timeout=timeout,
                poll_interval=poll_interval,
                print_fn=print_fn,
                save=save,
                profile=profile,
            )
            api_key = await run_async(flow, transport)
        finally:
            await transport.close()
        return cls(api_key, url)

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

    async def get_job(self, job_id: str | uuid.UUID) -> AsyncJob:
        """Return a job as it stands (``GET /kernel-jobs/{id}``)."""
        return AsyncJob(await self._request(api.get_job(to_id(job_id))), self)

    async def wait(
        self,
        job_id: str | uuid.UUID,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        poll_interval: float = DEFAULT_POLL_INTERVAL,
        on_update: Callable[[AsyncJob], object] | None = None,
    ) -> AsyncJob:
        """Wait until a job has ended, well or not. Faults on the way do not end it."""
        with self._tracing.span("wait", to_id(job_id)):
            flow = self._waiting(
                to_id(job_id),
                timeout=timeout,
                poll_interval=poll_interval,
                on_update=on_update and (lambda data: on_update(AsyncJob(data, self))),
            )
            return AsyncJob(await run_async(flow, self._transport), self)

    def jobs(
        self,
        *,
        status: JobStatus | None = None,
        capability_key: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[AsyncJob]:
        """Iterate over the caller's own jobs (``GET /kernel-jobs``), a page at a time."""
        return self._listed(JobPages(status, capability_key, limit))

    async def _listed(self, pages: JobPages) -> AsyncIterator[AsyncJob]:
        for call in pages.calls():
            for data in pages.unseen(await self._request(call)):
                yield AsyncJob(data, self)

    async def job_events(self, job_id: str | uuid.UUID) -> AsyncIterator[JobEvent]:
        """Iterate over a job's events (``GET /kernel-jobs/{id}/events``), oldest first."""
        for event in await self._request(api.job_events(to_id(job_id))):
            yield event

    async def _follow(self, follower: Follower) -> AsyncIterator[JobEvent]:
        while not follower.has_ended:
            for event in await run_async(follower.next_events(), self._transport):
                yield event

    async def capabilities(self, *, category: str | None = None) -> list[CapabilitySpec]:
        """Return the catalog (``GET /capability-specs``)."""
        return await self._request(api.list_capabilities(category=category))

    async def download(
        self,
        artifact: Artifact,
        to: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        max_bytes: int | None = None,
        timeout: float = DEFAULT_DOWNLOAD_TIMEOUT,
        on_progress: Callable[[int], object] | None = None,
    ) -> pathlib.Path:
        """Bring an artifact into a file: all of it, or the file stays as it was."""
        from .download import download

        flow = download(
            artifact,
            to,
            retry=self._retry,
            base_url=self.base_url,
            overwrite=overwrite,
            max_bytes=max_bytes,
            timeout=timeout,
            on_progress=on_progress,
        )
        return await run_async(flow, self._transport)

    async def close(self) -> None:
        """Close the connections. A client that was handed in stays open."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        """Return the client; leaving the block closes it."""
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close the connections."""
        await self.close()

    async def _request(self, call: Call[T]) -> T:
        return await run_async(request(call, self._retry), self._transport)
