from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from chaojiyuyan_client import Budget
from chaojiyuyan_core import api
from chaojiyuyan_core.errors import BudgetExceeded, HebingAPIError
from chaojiyuyan_core.http import Retry
from support.flows import as_reply

if TYPE_CHECKING:
    from chaojiyuyan_core.api import Call
    from chaojiyuyan_core.models import JobData

JOB = {"id": "j1", "status": "queued", "price_nc": 5}
LOST = httpx.ReadError("cut")


@pytest.fixture
def call() -> Call[JobData]:
    return api.create_job("test.echo.v1", {}, idempotency_key="k1")


@pytest.mark.parametrize(
    ("answers", "spent"),
    [
        ([(201, JOB)], 5),
        ([(201, {**JOB, "price_nc": 3})], 3),
        ([(201, {"id": "j1", "status": "queued"})], 5),
        ([(201, {**JOB, "price_nc": "free"})], 5),
        ([(200, JOB)], 0),
        ([429, (200, JOB)], 0),
        ([429, (201, JOB)], 5),
        ([LOST, (200, JOB)], 5),
        ([503, (200, JOB)], 5),
        ([LOST, (201, {**JOB, "price_nc": 3})], 3),
        ([400], 0),
        ([402], 0),
        ([429, 400], 0),
        ([LOST, 400], 5),
        ([503, 400], 5),
        ([LOST], 5),
        ([503], 5),
        ([302], 5),
        ([(201, [])], 5),
        ([(200, [])], 5),
    ],
)
def test_an_order_costs_what_its_responses_prove(
    script: Any, answer: Any, call: Any, answers: list[Any], spent: int
) -> None:
    budget = Budget(10)
    made = [
        one if isinstance(one, Exception)
        else answer(one, code="x") if isinstance(one, int)
        else httpx.Response(one[0], json={"data": one[1]})
        for one in answers
    ]  # fmt: skip
    with contextlib.suppress(HebingAPIError, httpx.HTTPError):
        script.play(budget.order(call, 5, Retry(2)), *made)
    assert (budget.spent_nc, budget.left_nc) == (spent, 10 - spent)


@pytest.mark.parametrize("price", [11, None])
def test_an_order_above_the_budget_is_refused_at_once(script: Any, call: Any, price: Any) -> None:
    budget = Budget(10)
    with pytest.raises(BudgetExceeded) as caught:
        script.play(budget.order(call, price, Retry()), None)
    assert (caught.value.price_nc, caught.value.left_nc) == (price, 10)
    assert script.sent == script.sleeps == []


def test_an_order_waits_for_orders_in_flight(script: Any, answer: Any, call: Any) -> None:
    budget = Budget(10)
    first = budget.order(call, 8, Retry(0))
    next(first)
    second = budget.order(call, 5, Retry(0))
    assert next(second).seconds > 0  # type: ignore[union-attr]
    with pytest.raises(HebingAPIError):
        first.send(as_reply(answer(400)))
    assert script.play(second, answer(201, data=JOB))["id"] == "j1"
    assert budget.spent_nc == 5


def test_an_order_that_still_exceeds_the_budget_is_refused(
    script: Any, answer: Any, call: Any
) -> None:
    budget = Budget(10)
    first = budget.order(call, 8, Retry(0))
    next(first)
    second = budget.order(call, 5, Retry(0))
    next(second)
    with pytest.raises(StopIteration):
        first.send(as_reply(answer(201, data={**JOB, "price_nc": 8})))
    with pytest.raises(BudgetExceeded, match="costs 5 nc, and 2 nc of the budget are left"):
        second.send(None)


def test_an_order_waits_no_longer_than_its_deadline(script: Any, call: Any) -> None:
    budget = Budget(10)
    first = budget.order(call, 8, Retry(0))
    next(first)
    with pytest.raises(BudgetExceeded):
        script.play(budget.order(call, 5, Retry(0), left=lambda: 1002 - script.time), None)
    assert 2 <= sum(script.sleeps) <= 2.5


def test_a_cancelled_order_costs_its_price_once_it_was_sent(call: Any) -> None:
    budget = Budget(10)
    flow = budget.order(call, 8, Retry(0))
    next(flow)
    flow.close()
    assert budget.spent_nc == 8


def test_an_input_that_is_not_json_costs_nothing(script: Any) -> None:
    budget = Budget(10)
    call = api.create_job("test.echo.v1", {"a": object()}, idempotency_key="k1")
    with pytest.raises(TypeError):
        script.play(budget.order(call, 8, Retry(0)), None)
    assert budget.left_nc == 10


def test_check_reserves_nothing() -> None:
    budget = Budget(10)
    budget.check(10)
    budget.check(10)
    for price in (11, None):
        with pytest.raises(BudgetExceeded):
            budget.check(price)


@pytest.mark.parametrize("limit", [-1, 1.5, True, "5", None])
def test_a_limit_is_a_whole_number_of_nc(limit: Any) -> None:
    with pytest.raises(ValueError, match="whole number"):
        Budget(limit)
