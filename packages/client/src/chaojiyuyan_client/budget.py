"""A limit on the total price of orders."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import cast

from chaojiyuyan_core.api import Call
from chaojiyuyan_core.errors import BudgetExceeded, HebingAPIError
from chaojiyuyan_core.http import Flow, Reply, Retry, Send, Sleep, encode_body, request
from chaojiyuyan_core.models import JobData

FIRST_PAUSE = 0.02
"""Seconds until an order that exceeds the budget checks it again the first time."""

MAX_PAUSE = 0.5
"""Maximum seconds between two such checks."""


class Budget:
    """A budget in whole nc. It can be shared between threads, tasks and clients.

    An order reserves its price before it is sent. The response determines its cost: the `price_nc`
    of the job; nothing when the platform refused the order or returned an existing job; the whole
    price when the cost is unknown, for example after a lost response.

    Attributes:
        limit_nc: The maximum total in nc.
    """

    def __init__(self, limit_nc: int) -> None:
        """Start with an unspent budget.

        Args:
            limit_nc: The maximum total in nc. With 0, only free orders are allowed.

        Raises:
            ValueError: The limit is negative or not a whole number.
        """
        if read_price(limit_nc) is None:
            raise ValueError(f"a budget is a whole number of nc, 0 or more, not {limit_nc!r}")
        self.limit_nc = limit_nc
        self._lock = threading.Lock()
        self._spent = 0
        self._reserved = 0

    @property
    def spent_nc(self) -> int:
        """The cost of the completed orders in nc. An unknown cost counts as the whole price."""
        return self._spent

    @property
    def left_nc(self) -> int:
        """The rest of the budget in nc that is neither spent nor reserved by an order in flight."""
        with self._lock:
            return max(0, self.limit_nc - self._spent - self._reserved)

    def check(self, price_nc: int | None) -> None:
        """Raise an error when an order exceeds the budget now. Nothing is reserved.

        Args:
            price_nc: The price of the order in nc, or None when it is unknown.

        Raises:
            BudgetExceeded: The price is unknown or exceeds the rest of the budget.
        """
        left = self.left_nc
        if price_nc is None or price_nc > left:
            raise BudgetExceeded(price_nc, left)

    def order(
        self,
        call: Call[JobData],
        price_nc: int | None,
        retry: Retry,
        *,
        left: Callable[[], float] | None = None,
    ) -> Flow[JobData]:
        """Order a job within the budget.

        An order that exceeds the rest of the budget waits while other orders are in flight,
        because their reservations may be released.

        Args:
            call: The request from :func:`chaojiyuyan_core.api.create_job`.
            price_nc: The price of the job in nc, or None when it is unknown.
            retry: The number and the delays of retries.
            left: Returns the seconds until the deadline; None means no deadline.

        Returns:
            The flow that orders the job and returns it.

        Raises:
            BudgetExceeded: The price is unknown or exceeds the rest of the budget. Nothing was
                sent.
            HebingAPIError: The API refused the order.
            httpx.HTTPError: The connection failed in the last attempt.
        """
        encode_body(call)  # an input that cannot be encoded fails before the reservation
        price = yield from self._reserve(price_nc, left)
        attempts = _Attempts()
        cost = price
        try:
            job = yield from attempts.watch(request(call, retry, left=left))
            known = read_price(job.get("price_nc"))
            cost = 0 if attempts.found_earlier_job else price if known is None else known
        except HebingAPIError:
            if attempts.are_refused:
                cost = 0
            raise
        finally:
            with self._lock:
                self._reserved -= price
                self._spent += cost
        return job

    def _reserve(self, price_nc: int | None, left: Callable[[], float] | None) -> Flow[int]:
        if price_nc is None:
            raise BudgetExceeded(None, self.left_nc)
        pause = FIRST_PAUSE
        while True:
            with self._lock:
                free = self.limit_nc - self._spent - self._reserved
                if price_nc <= free:
                    self._reserved += price_nc
                    return price_nc
                hopeless = price_nc > self.limit_nc - self._spent
            if hopeless or (left is not None and left() <= 0):
                raise BudgetExceeded(price_nc, max(0, free))
            yield Sleep(pause)
            pause = min(2 * pause, MAX_PAUSE)

    def __repr__(self) -> str:
        """Return a text with the limit and the rest."""
        return f"<Budget limit_nc={self.limit_nc} left_nc={self.left_nc}>"


class _Attempts:
    """The statuses of one order's attempts, from which its cost follows."""

    def __init__(self) -> None:
        self._statuses: list[int] = []  # of each attempt; 0 when there was no response

    def watch(self, flow: Flow[JobData]) -> Flow[JobData]:
        """Run the flow, and record the status of each response."""
        reply: Reply | None = None
        try:
            while True:
                step = flow.send(reply)
                reply = yield step
                if isinstance(step, Send):
                    self._statuses.append((reply.status if reply else None) or 0)
        except StopIteration as end:
            return cast("JobData", end.value)
        finally:
            flow.close()

    @property
    def are_refused(self) -> bool:
        """Whether the platform refused every attempt, so that there is no job."""
        return bool(self._statuses) and all(400 <= status < 500 for status in self._statuses)

    @property
    def found_earlier_job(self) -> bool:
        """Whether the job existed before the first attempt. A lost attempt may have created it."""
        *before, last = self._statuses
        return last == 200 and all(400 <= status < 500 for status in before)


def read_price(value: object) -> int | None:
    """Return a price in whole nc, or None when the value is not a price.

    Args:
        value: The `price_nc` of the API, of any type.
    """
    is_price = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return cast("int", value) if is_price else None
