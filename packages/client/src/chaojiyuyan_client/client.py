"""The client for callers: post jobs, wait for them, fetch what they made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from chaojiyuyan_core import api
from chaojiyuyan_core.addresses import checked_base_url
from chaojiyuyan_core.annotations import Self, Unpack
from chaojiyuyan_core.http import (
    DEFAULT_MAX_RESPONSE_BYTES,
    RequestBuilder,
    TimeoutTypes,
    Transport,
    check_seconds,
    request,
    run,
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
    Job,
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


class NexusClient(ClientBase):
    """The platform as a caller sees it. Safe to share between threads.

    Every method raises :class:`~chaojiyuyan_core.errors.HebingAPIError` where the API refuses and
    ``httpx.HTTPError`` where it is not reached, after the retries.

    Args:
        api_key: The agent key (``nxt_ag_…``).
        base_url: The platform's base URL; production by default. Plain http to another machine
            warns.
        timeout: Seconds without progress after which a request ends, in any form that httpx takes:
            a number, None for no limit, an ``httpx.Timeout`` or a tuple. A request ends after five
            minutes in any case, or after the timeout where that is longer.
        max_retries: Attempts after the first, for what may be repeated; 0 turns retrying off.
        auto_idempotency: Whether :meth:`call` makes an idempotency key where it is given none, so
            that it may be repeated.
        max_response_bytes: Maximum size of an answer in bytes, decoded; 64 MiB by default.
        budget_nc: What this client and its :meth:`with_options` copies may order in all, in nc;
            None for any amount. An order that does not fit raises
            :class:`~chaojiyuyan_core.errors.BudgetExceeded` before it is sent.
        send_traceparent: Whether the OpenTelemetry trace travels with a job, in its
            `channel_context`; whoever works on the job sees it.
        http_client: An ``httpx.Client`` to use; its own base URL, headers and timeout win, and it
            is not closed with this one.

    Raises:
        ValueError: The key is blank, or the base URL or a limit is invalid.
        TypeError: The HTTP client is not an ``httpx.Client``.
    """

    _transport: Transport

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
        http_client: httpx.Client | None = None,
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
        self._transport = Transport(
            self._builder, http_client, max_response_bytes=max_response_bytes
        )
        self._builder = self._transport.builder
        if http_client is not None:
            self.timeout = http_client.timeout

    @classmethod
    def login_device_flow(
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
        """Log in by a browser (RFC 8628), and make a client of the key.

        Args:
            base_url: The platform's base URL; production by default.
            client_name: What the person who approves is told.
            timeout: Seconds until the login is given up.
            poll_interval: Seconds between two polls where the server names none.
            print_fn: A function that takes the lines to be shown; ``print`` by default.
            save: Whether to keep the key in the credentials file. A key that was approved and then
                cannot be saved is shown.
            profile: The profile to keep it in.

        Raises:
            DeviceFlowError: The login was denied, or has expired.
            DeviceFlowTimeout: Nobody approved it in time.
            CredentialsError: The credentials file cannot be read or written.
        """
        from ._login import device_login

        url = checked_base_url(base_url or cls.DEFAULT_BASE_URL)
        transport = Transport(RequestBuilder(None, url))
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
            api_key = run(flow, transport)
        finally:
            transport.close()
        return cls(api_key, url)

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

    def get_job(self, job_id: str | uuid.UUID) -> Job:
        """Return a job as it stands (``GET /kernel-jobs/{id}``).

        Args:
            job_id: The job's id.

        Raises:
            NotFoundError: There is none, or it is another agent's.
            ValueError: The id is empty, ``.`` or ``..``.
        """
        return Job(self._request(api.get_job(to_id(job_id))), self)

    def wait(
        self,
        job_id: str | uuid.UUID,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        poll_interval: float = DEFAULT_POLL_INTERVAL,
        on_update: Callable[[Job], object] | None = None,
    ) -> Job:
        """Wait until a job has ended, well or not. Faults on the way do not end it.

        Args:
            job_id: The job's id.
            timeout: Maximum wait in seconds.
            poll_interval: Maximum interval between two polls in seconds, where the server does not
                hold its answer (``Prefer: wait``, RFC 7240). Intervals begin at 0.1 s and grow;
                several waits of one client poll together.
            on_update: A function that is called with the job when it is first seen and whenever
                its status changes.

        Raises:
            JobTimeout: It did not end in time; its cause is the last fault, if there was one.
            NotFoundError: There is no such job, or it is another agent's.
        """
        with self._tracing.span("wait", to_id(job_id)):
            flow = self._waiting(
                to_id(job_id),
                timeout=timeout,
                poll_interval=poll_interval,
                on_update=on_update and (lambda data: on_update(Job(data, self))),
            )
            return Job(run(flow, self._transport), self)

    def jobs(
        self,
        *,
        status: JobStatus | None = None,
        capability_key: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Job]:
        """Iterate over the caller's own jobs (``GET /kernel-jobs``), a page at a time.

        Args:
            status: Filter by status, for example ``failed``.
            capability_key: Filter by capability.
            limit: The number of jobs at most; None for all.

        Raises:
            ValueError: The limit is negative or not a whole number.
        """
        return self._listed(JobPages(status, capability_key, limit))

    def _listed(self, pages: JobPages) -> Iterator[Job]:
        for call in pages.calls():
            for data in pages.unseen(self._request(call)):
                yield Job(data, self)

    def job_events(self, job_id: str | uuid.UUID) -> Iterator[JobEvent]:
        """Iterate over what has happened to a job (``GET /kernel-jobs/{id}/events``), oldest first.

        Args:
            job_id: The job's id.
        """
        yield from self._request(api.job_events(to_id(job_id)))

    def _follow(self, follower: Follower) -> Iterator[JobEvent]:
        while not follower.has_ended:
            yield from run(follower.next_events(), self._transport)

    def capabilities(self, *, category: str | None = None) -> list[CapabilitySpec]:
        """Return the catalog (``GET /capability-specs``).

        Args:
            category: Filter by category, an exact match.
        """
        return self._request(api.list_capabilities(category=category))

    def download(
        self,
        artifact: Artifact,
        to: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        max_bytes: int | None = None,
        timeout: float = DEFAULT_DOWNLOAD_TIMEOUT,
        on_progress: Callable[[int], object] | None = None,
    ) -> pathlib.Path:
        """Bring an artifact into a file: all of it, or the file stays as it was.

        Args:
            artifact: An artifact of `job.artifacts`, at an ``https:`` or ``data:`` address.
            to: The file to write; its folder must exist.
            overwrite: Whether to replace a file that exists. A link, a pipe and a device are never
                replaced.
            max_bytes: The bytes after which the download is given up; None for no limit but the
                size that the artifact announces.
            timeout: Seconds for the whole download, retries included; an hour by default.
            on_progress: A function that is called with the number of bytes so far.

        Returns:
            The file's path.

        Raises:
            DownloadError: The artifact has no such address, or not the size that it says.
            HebingAPIError: Its host answered with an error.
            FileExistsError: The file exists, and `overwrite` is not set.
            OSError: The file cannot be written.
        """
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
        return run(flow, self._transport)

    def close(self) -> None:
        """Close the connections. A client that was handed in stays open."""
        self._transport.close()

    def __enter__(self) -> Self:
        """Return the client; leaving the block closes it."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close the connections."""
        self.close()

    def _request(self, call: Call[T]) -> T:
        return run(request(call, self._retry), self._transport)


HebingClient = NexusClient
"""The name that the client had first."""
