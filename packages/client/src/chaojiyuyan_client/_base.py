"""The options and the flows that the sync and the async client share."""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import copy
from typing import TYPE_CHECKING, ClassVar

from chaojiyuyan_core.addresses import DEFAULT_BASE_URL, checked_api_key, checked_base_url
from chaojiyuyan_core.annotations import Self
from chaojiyuyan_core.errors import PriceTooHigh
from chaojiyuyan_core.http import (
    AsyncTransport,
    Flow,
    RequestBuilder,
    Retry,
    TimeoutTypes,
    Transport,
    check_seconds,
    request,
)
from chaojiyuyan_core.models import TERMINAL_JOB_STATUSES
from chaojiyuyan_core.redaction import mask_key

from ._arguments import to_object
from ._catalog import Catalog
from ._order import Order
from ._polling import SharedPolling
from ._tracing import Tracing
from ._validation import check_input, require_validator
from .budget import Budget, read_price
from .job import DEFAULT_POLL_INTERVAL
from .waiting import wait_for_job

if TYPE_CHECKING:
    import httpx

    from chaojiyuyan_core.models import CapabilitySpec, JobData, JsonObject

    from ._arguments import ObjectLike
    from ._follow import Follower
    from ._order import OrderOptions
    from ._tool_orders import ToolOrders
    from .map import Plan
    from .tools import Tool
else:
    from chaojiyuyan_core.annotations import httpx  # noqa: F401


class ClientBase:
    """The base of both clients: their options, and the flows behind their methods.

    Attributes:
        api_key: The agent key.
        base_url: The platform's base URL, without a trailing slash.
        timeout: The timeout as it was passed: seconds for each of connect, write and read.
        max_retries: Maximum number of retries of a request.
    """

    DEFAULT_BASE_URL: ClassVar[str] = DEFAULT_BASE_URL

    api_key: str
    base_url: str
    timeout: TimeoutTypes
    max_retries: int
    _transport: Transport | AsyncTransport

    def __init__(
        self,
        api_key: str,
        base_url: str | None = None,
        *,
        timeout: TimeoutTypes = 30.0,
        max_retries: int = 2,
        auto_idempotency: bool = True,
        budget_nc: int | None = None,
        send_traceparent: bool = True,
    ) -> None:
        self.api_key = checked_api_key(api_key)
        self.base_url = checked_base_url(base_url or self.DEFAULT_BASE_URL)
        self._auto_idempotency = auto_idempotency
        self.timeout = timeout
        self._builder = RequestBuilder(self.api_key, self.base_url, timeout=timeout)
        self._set_retries(max_retries)
        self._budget = None if budget_nc is None else Budget(budget_nc)
        self._catalog = Catalog(time.monotonic)
        self._polling = SharedPolling(time.monotonic)
        self._tracing = Tracing(send_traceparent=send_traceparent)

    @classmethod
    def from_env(cls, *, profile: str | None = None) -> Self:
        """Return a client with the key of the environment or else of the credentials file.

        Args:
            profile: The profile of the credentials file. By default, ``CHAOJIYUYAN_PROFILE`` or
                else ``default``.

        Raises:
            ValueError: There is no key.
            CredentialsError: The credentials file cannot be read.
        """
        from chaojiyuyan_core.settings import load_settings

        settings = load_settings(profile=profile)
        is_default = settings.base_url_source == "default"
        return cls(settings.api_key, None if is_default else settings.base_url)

    def with_options(self, *, timeout: TimeoutTypes = None, max_retries: int | None = None) -> Self:
        """Return a copy of this client with other limits, which uses the same connections.

        Closing this client closes the connections. Closing the copy does not.

        Args:
            timeout: Seconds for each of connect, write and read; None keeps the timeout.
            max_retries: Maximum number of retries; None keeps the number.

        Raises:
            ValueError: A limit is invalid.
        """
        other = copy(self)
        if timeout is not None:
            other.timeout = timeout
            other._builder = self._builder.with_timeout(timeout)
        if max_retries is not None:
            other._set_retries(max_retries)
        other._transport = self._transport.sharing(other._builder)
        return other

    def _set_retries(self, max_retries: int) -> None:
        if max_retries < 0:
            raise ValueError(f"max_retries must be 0 or more, not {max_retries!r}")
        self.max_retries = max_retries
        self._retry = Retry(max_retries)

    def __repr__(self) -> str:
        """Return a text with the base URL and the masked key."""
        # An object whose __init__ failed has no attributes, but a debugger may still show it.
        base_url = getattr(self, "base_url", None)
        api_key = mask_key(getattr(self, "api_key", ""))
        return f"<{type(self).__name__} base_url={base_url!r} api_key={api_key!r}>"

    def _make_order(
        self,
        capability_key: str,
        input_payload: ObjectLike | None,
        options: OrderOptions,
        *,
        idempotency_key: str | None = None,
    ) -> Order:
        return Order.make(
            capability_key,
            input_payload,
            options,
            idempotency_key=idempotency_key,
            auto_idempotency=self._auto_idempotency,
            traceparent=self._tracing.traceparent(),
        )

    def _mapping(self, plan: Plan, index: int, item: object) -> Flow[JobData]:
        """Order the job for one input of `map`, and wait for it."""
        payload = to_object("input", item)
        order = self._make_order(
            plan.capability_key, payload, plan.options, idempotency_key=plan.key(index, payload)
        )
        return self._running(order, timeout=plan.timeout, retry_failed=plan.retry_failed)

    @staticmethod
    def _choose_tools(
        entries: list[CapabilitySpec], capability_keys: tuple[str, ...], orders: ToolOrders
    ) -> list[Tool]:
        """Return a tool for each selected entry of the catalog, or for all entries."""
        from .tools import Tool

        specs = {spec["capability_key"]: spec for spec in entries if spec.get("capability_key")}
        unknown = [key for key in capability_keys if key not in specs]
        if unknown:
            raise ValueError(f"the catalog has no capability {unknown[0]!r}: see capabilities()")
        return [Tool(specs[key], orders) for key in dict.fromkeys(capability_keys or specs)]

    def _using(
        self,
        tool: Tool,
        payload: JsonObject,
        job_ids: list[str],
        *,
        max_price_nc: int | None,
        timeout: float,
    ) -> Flow[JobData]:
        """Order a job for a tool, append its id to `job_ids`, and wait for it."""
        began = time.monotonic()
        options: OrderOptions = {"max_price_nc": max_price_nc}
        order = self._make_order(tool.capability_key, payload, options)
        job = yield from self._order(order, left=lambda: began + timeout - time.monotonic())
        job_ids.append(job["id"])
        poll_interval = DEFAULT_POLL_INTERVAL
        waiting = self._waiting(
            job["id"], timeout=timeout, poll_interval=poll_interval, since=began
        )
        return (yield from waiting)

    def _order(self, order: Order, *, left: Callable[[], float] | None = None) -> Flow[JobData]:
        """Create the job of an order, within the client's budget."""
        price_nc = None
        if order.validate:
            require_validator()
        if order.validate or order.max_price_nc is not None or self._budget is not None:
            spec = yield from self._catalog.find(order.capability_key, self._retry, left=left)
            price_nc = None if spec is None else read_price(spec.get("price_nc"))
            if order.validate and spec is not None:
                check_input(order.input_payload, spec.get("input_schema"))
            if order.max_price_nc is not None and (
                price_nc is None or price_nc > order.max_price_nc
            ):
                raise PriceTooHigh(order.capability_key, price_nc, order.max_price_nc)
        call = order.creation()
        if self._budget is None:
            return (yield from request(call, self._retry, left=left))
        return (yield from self._budget.order(call, price_nc, self._retry, left=left))

    def _waiting(
        self,
        job_id: str,
        *,
        timeout: float,
        poll_interval: float,
        since: float | None = None,
        on_update: Callable[[JobData], object] | None = None,
    ) -> Flow[JobData]:
        return wait_for_job(
            job_id,
            timeout=timeout,
            poll_interval=poll_interval,
            retry=self._retry,
            now=time.monotonic,
            since=since,
            on_update=on_update,
            polling=self._polling,
        )

    def _follower(self, job_id: str, timeout: float | None) -> Follower:
        from ._follow import Follower

        return Follower(job_id, timeout=timeout, retry=self._retry, now=time.monotonic)

    def _running(
        self,
        order: Order,
        *,
        timeout: float,
        poll_interval: float = DEFAULT_POLL_INTERVAL,
        retry_failed: bool = False,
    ) -> Flow[JobData]:
        check_seconds("timeout", timeout)
        began = time.monotonic()

        def left() -> float:
            return began + timeout - time.monotonic()

        job = yield from self._order(order, left=left)
        number = 1
        # A job that has already ended comes from an earlier run.
        while retry_failed and job["status"] in TERMINAL_JOB_STATUSES - {"succeeded"}:
            number += 1
            job = yield from self._order(order.numbered(number), left=left)
        waiting = self._waiting(
            job["id"], timeout=timeout, poll_interval=poll_interval, since=began
        )
        return (yield from waiting)
