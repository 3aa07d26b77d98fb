"""A bound on what orders may cost together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import cast

from chaojiyuyan_core.api import Call
from chaojiyuyan_core.errors import BudgetExceeded, HebingAPIError
from chaojiyuyan_core.http import Flow, Reply, Retry, Send, Sleep, encode_body, request
from chaojiyuyan_core.models import JobData

FIRST_PAUSE = 0.02
"""Seconds until an order that does not fit looks again whether others have been released."""

MAX_PAUSE = 0.5
"""Seconds between two such looks at most."""


class Budget:
    """What may be spent in all, in whole nc. Safe to share between threads, tasks and clients.

    An order reserves its price before it is sent. The answer settles what it costs: the job's own
    `price_nc`; nothing where the platform refused it, or answered with a job that was there before;
    the whole price where nobody knows, for example after a lost answer.

    Attributes:
        limit_nc: The bound, in nc.
    """

    def __init__(self, limit_nc: int) -> None:
        """Start with nothing spent.

        Args:
            limit_nc: The bound, in nc; 0 refuses every order that costs something.

        Raises:
            ValueError: The bound is negative, or not a whole number.
        """
        if read_price(limit_nc) is None:
            raise ValueError(f"a budget is a whole number of nc, 0 or more, not {limit_nc!r}")
        self.limit_nc = limit_nc
        self._lock = threading.Lock()
        self._spent = 0
        self._reserved = 0

    @property
    def spent_nc(self) -> int:
        """What the orders that were answered cost, in nc, unknown ones at their whole price."""
        return self._spent

    @property
    def left_nc(self) -> int:
        """What neither is spent nor reserved by an order in flight, in nc."""
        with self._lock:
            return max(0, self.limit_nc - self._spent - self._reserved)

    def check(self, price_nc: int | None) -> None:
        """Tell whether an order fits now, without reserving anything.

        Args:
            price_nc: The price of the order, in nc; None where it is unknown.

        Raises:
            BudgetExceeded: It does not fit, or its price is unknown.
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
        """Post a job within the budget.

        An order that does not fit waits while others are in flight, since they may be released.

        Args:
            call: What :func:`chaojiyuyan_core.api.create_job` returned.
            price_nc: The price of the job, in nc; None where it is unknown.
            retry: How often and how soon a fault is answered by another attempt.
            left: Tells the seconds until the deadline; without it there is none.

        Returns:
            The flow that posts the job and returns it.

        Raises:
            BudgetExceeded: It does not fit, or its price is unknown. Nothing was sent.
            HebingAPIError: The API refused the order.
            httpx.HTTPError: The last attempt met a fault on the wire.
        """
        encode_body(call)  # what cannot be sent must not be paid for
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
        """Tell the bound and what is left."""
        return f"<Budget limit_nc={self.limit_nc} left_nc={self.left_nc}>"


class _Attempts:
    """What the attempts of one order tell about its cost."""

    def __init__(self) -> None:
        self._statuses: list[int] = []  # of each attempt; 0 where no answer came

    def watch(self, flow: Flow[JobData]) -> Flow[JobData]:
        """Run the flow, and note the status of each answer."""
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
        """Whether the platform refused every attempt: there is no job."""
        return bool(self._statuses) and all(400 <= status < 500 for status in self._statuses)

    @property
    def found_earlier_job(self) -> bool:
        """Whether the job was there before the first attempt: after a lost one it may be ours."""
        *before, last = self._statuses
        return last == 200 and all(400 <= status < 500 for status in before)


def read_price(value: object) -> int | None:
    """Return a price in whole nc, or None for anything that is not one."""
    is_price = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return cast("int", value) if is_price else None
