"""The single calls of a worker interpret responses like its loop, with a manual clock."""

from __future__ import annotations

import httpx
import pytest

from chaojiyuyan_core import api, errors
from chaojiyuyan_worker._calls import MAX_DEADLINES, Calls
from support.clocks import HandClock
from support.replies import after, answer, data, fault, page, refusal

NOT_FOUND = refusal(404, "task_run_not_found")
NOBODYS = [page(404), page(410), answer(404, message="no route"), refusal(404, None)]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def calls(wire, clock) -> Calls:
    return Calls(lambda: wire, clock)


def submit(calls, job_id: str = "job-1"):
    return calls.submit(api.submit(job_id, {"n": 1}), job_id)


@pytest.mark.parametrize("reply", NOBODYS)
def test_an_html_page_does_not_lose_a_lease(calls, wire, reply) -> None:
    wire.answers["heartbeat"] = reply
    with pytest.raises(errors.HebingAPIError):
        calls.heartbeat("job-1")


@pytest.mark.parametrize("reply", [*NOBODYS, refusal(503, "busy"), page(200)])
def test_a_submit_is_retried_until_it_is_answered(calls, wire, reply) -> None:
    wire.answers["submit"] = [reply, reply, data(settled=True, payout_nc=3)]
    assert submit(calls)["payout_nc"] == 3
    assert wire.count("submit") == 3


def test_a_submit_without_a_known_lease_ends_after_30_seconds(calls, wire, clock) -> None:
    wire.answers["submit"] = refusal(503, "busy")
    with pytest.raises(errors.LeaseExpired) as caught:
        submit(calls)
    assert caught.value.may_be_settled
    assert 25 < clock.at - 100 <= 30


@pytest.mark.parametrize("before", [page(200), fault(httpx.ReadTimeout("slow")), page(502)])
def test_gone_after_a_lost_answer_may_be_settled(calls, wire, before) -> None:
    wire.answers["submit"] = [before, NOT_FOUND]
    with pytest.raises(errors.TaskRunNotFound, match="may have settled") as caught:
        submit(calls)
    assert caught.value.may_be_settled


def test_gone_at_the_first_attempt_is_not_settled(calls, wire) -> None:
    wire.answers["submit"] = NOT_FOUND
    with pytest.raises(errors.TaskRunNotFound) as caught:
        submit(calls)
    assert not caught.value.may_be_settled


def test_nothing_is_submitted_after_the_lease_of_a_bid(calls, wire, clock) -> None:
    wire.answers["bid"] = data(accepted=True, task_run_id="r", lease_expires_at=after(10))
    calls.bid("job-1")
    clock.at += 9.0
    with pytest.raises(errors.LeaseExpired):
        submit(calls)
    assert wire.count("submit") == 0


def test_a_heartbeat_extends_the_time_to_submit(calls, wire, clock) -> None:
    wire.answers["bid"] = data(accepted=True, task_run_id="r", lease_expires_at=after(10))
    calls.bid("job-1")
    clock.at += 8.0
    calls.heartbeat("job-1")
    clock.at += 28.0
    assert submit(calls)["settled"]
    assert wire.timeouts["submit"] == [pytest.approx(1.0)]


def test_a_corrected_output_may_be_submitted_in_the_same_lease(calls, wire, clock) -> None:
    calls.bid("job-1")
    wire.answers["submit"] = refusal(422, "validation_failed", validation_errors=["n: low"])
    with pytest.raises(errors.SubmitValidationFailed):
        submit(calls)
    clock.at += 29.0
    with pytest.raises(errors.LeaseExpired):
        submit(calls)
    assert wire.count("submit") == 1


def test_a_final_submit_error_is_raised_at_once(calls, wire, clock) -> None:
    wire.answers["submit"] = page(413)
    with pytest.raises(errors.HebingAPIError, match="413"):
        submit(calls)
    assert clock.at == 100.0


def test_a_connection_error_is_raised_unchanged(calls, wire) -> None:
    wire.answers["heartbeat"] = fault(httpx.ConnectError("refused"))
    with pytest.raises(httpx.ConnectError):
        calls.heartbeat("job-1")
    wire.answers["bid"] = fault(httpx.ReadTimeout("slow"))
    with pytest.raises(httpx.ReadTimeout):
        calls.bid("job-1")


def test_a_row_nested_too_deeply_does_not_hide_others(calls, wire) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    row = '{"job_id": "job-1", "capability_key": "a"}'
    reply = data(jobs=[])
    reply.body = f'{{"data": {{"jobs": [{{"x": {deep}}}, {row}]}}}}'.encode()
    wire.answers["available"] = reply
    assert [offer["job_id"] for offer in calls.available(10, None)] == ["job-1"]


def test_the_number_of_remembered_leases_is_limited(calls, clock) -> None:
    for number in range(MAX_DEADLINES + 1):
        calls.heartbeat(f"job-{number}")
    clock.at += 1000
    assert submit(calls, "job-0")["settled"]  # forgotten, so treated as a new job
    with pytest.raises(errors.LeaseExpired):
        submit(calls, "job-1")


def test_close_closes_the_connections(calls, wire) -> None:
    calls.close()
    assert not wire.closed
    calls.heartbeat("job-1")
    calls.close()
    assert wire.closed
