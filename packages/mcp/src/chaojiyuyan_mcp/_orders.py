"""Place orders within the server's budget, with the user's consent where the price needs it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import uuid4
from weakref import WeakValueDictionary

from ._consent import Consent, Order
from ._platform import countdown
from ._results import ToolError, translate_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp import types

    from chaojiyuyan_core.models import JobData

    from ._catalog import Catalog
    from ._client import Client
    from ._platform import Platform

MAX_REMEMBERED_ORDERS = 10_000
"""Maximum number of idempotency keys of paid orders that are remembered."""


@dataclass(frozen=True)
class Limits:
    """The limits on the orders of a server.

    Attributes:
        ask_above_nc: The user must agree to an order whose price in nc is higher than this or
            unknown. None never asks.
        budget_nc: Maximum price of all orders together in nc; None for no limit.
    """

    ask_above_nc: int | None = None
    budget_nc: int | None = None


class Orders:
    """Places all orders of the server."""

    def __init__(self, platform: Platform, catalog: Catalog, limits: Limits) -> None:
        """Start with an unspent budget.

        Args:
            platform: Sends the orders.
            catalog: Reads the prices.
            limits: The limits on the orders.
        """
        from chaojiyuyan_client.budget import Budget

        self._platform = platform
        self._catalog = catalog
        self._limits = limits
        self._budget = None if limits.budget_nc is None else Budget(limits.budget_nc)
        self._consent = Consent(platform.settings.api_key)
        self._paid: dict[str, str] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def place(self, order: Order, client: Client) -> JobData | types.InputRequiredResult:
        """Order a job with ``POST /kernel-jobs``.

        Args:
            order: The order.
            client: The client, which asks the user where necessary.

        Returns:
            The job, or the form that the client must show before it calls again.

        Raises:
            ToolError: The user did not agree, or cannot be asked.
            MCPError: The consent is forged or belongs to another agent.
            BudgetExceeded: The price is unknown or exceeds the rest of the budget.
            HebingAPIError: The platform refused the order.
        """
        left = countdown()
        if self._limits == Limits():
            return await self._send(order, None, order.idempotency_key or uuid4().hex, left)
        price = await self._catalog.price(order.capability_key, left)
        ask_above = self._limits.ask_above_nc
        must_ask = ask_above is not None and (price is None or price > ask_above)
        agreed = self._consent.read(order, price, client) if must_ask else None
        key = order.idempotency_key or agreed or uuid4().hex
        # A concurrent repeat waits until the price of the first order is recorded.
        async with self._locks.setdefault(key, asyncio.Lock()):
            if not self._is_paid(order, price, key):
                if self._budget is not None:
                    self._budget.check(price)
                if must_ask and agreed is None:
                    answer = await self._consent.ask(order, price, client)
                    if answer is not None:
                        return answer
                    left = countdown()  # the user may have taken minutes to agree
            return await self._send(order, price, key, left)

    async def _send(
        self, order: Order, price: int | None, key: str, left: Callable[[], float]
    ) -> JobData:
        """Send an order, and retry after a failure, which its idempotency key makes safe."""
        import httpx

        from chaojiyuyan_core import api
        from chaojiyuyan_core.errors import HebingAPIError

        call = api.create_job(order.capability_key, order.input_payload, idempotency_key=key)
        flow = None
        if self._budget is not None and not self._is_paid(order, price, key):
            flow = self._budget.order(call, price, self._platform.retry, left=left)
        try:
            job = await (self._platform.run(flow) if flow else self._platform.request(call, left))
        except (httpx.HTTPError, HebingAPIError) as fault:
            if isinstance(fault, HebingAPIError) and 400 <= fault.status_code < 500:
                raise
            self._remember(order, price, key)
            error = translate_error(fault, base_url=self._platform.settings.base_url)
            raise ToolError(
                error.code,
                f"{error.error}. The order may have been placed",
                hint="To find out, call kernel_create_job with the same capability_key, the same"
                " input_payload and this idempotency_key. It cannot order twice.",
                **{**error.more, "idempotency_key": key},
            ) from fault
        self._remember(order, price, key)
        return job

    def _is_paid(self, order: Order, price: int | None, key: str) -> bool:
        return self._paid.get(key) == replace(order, idempotency_key=key).digest(price)

    def _remember(self, order: Order, price: int | None, key: str) -> None:
        """Remember that an order is paid, because repeating it costs nothing more."""
        self._paid[key] = replace(order, idempotency_key=key).digest(price)
        if len(self._paid) > MAX_REMEMBERED_ORDERS:
            del self._paid[next(iter(self._paid))]
