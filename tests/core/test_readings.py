"""The interpretation of responses to a bid, a heartbeat and a submit."""

from __future__ import annotations

import json
from datetime import timedelta

import httpx
import pytest

from chaojiyuyan_core.answers import (
    Award,
    BidRefused,
    LeaseExtended,
    LeaseGone,
    OutputRefused,
    Settled,
    Undecided,
    is_key_refused,
    read_bid,
    read_heartbeat,
    read_submit,
)
from chaojiyuyan_core.errors import ResponseFormatError
from chaojiyuyan_core.http import Reply
from chaojiyuyan_core.redaction import Redactor
from support.replies import NOW, after, answer, data, date_of, fault, page, refusal

GATEWAY_404 = answer(404, message="no Route matched with those values")
NOT_THE_PLATFORMS = [
    page(404),
    page(410),
    GATEWAY_404,
    answer(404, code="NotFound", message="no such function"),
    refusal(404, None),
    refusal(410, None),
    Reply(404),
    page(502),
    fault(httpx.ReadTimeout("slow")),
    Reply(200, body=b"{"),
    page(200),
]

UNREADABLE = ResponseFormatError(413, "the body cannot be decoded")


def held(reply: Reply, now=NOW) -> float:
    """Return the length of the lease in the response to a heartbeat."""
    reading = read_heartbeat(reply, now)
    assert isinstance(reading, LeaseExtended)
    return reading.lease_seconds


def test_a_lease_is_measured_with_the_servers_times() -> None:
    far = NOW + timedelta(hours=5)
    assert held(data(lease_expires_at=after(20)), far) == 19.0


@pytest.mark.parametrize("hours", [1, 2, 100_000])
def test_a_lease_is_cut_to_30_seconds(hours) -> None:
    assert held(data(lease_expires_at=after(hours * 3600))) == 29.0


@pytest.mark.parametrize(("ahead", "seconds"), [(20, 9.0), (28, 1.0), (29, 29.0), (30, 29.0)])
def test_a_date_in_the_future_shortens_the_lease(ahead, seconds) -> None:
    reply = data(lease_expires_at=after(30))
    reply.headers = date_of(NOW + timedelta(seconds=ahead))
    assert held(reply) == seconds


@pytest.mark.parametrize("ahead", [60, 7200])
def test_an_impossible_date_is_not_used(ahead) -> None:
    reply = data(lease_expires_at=after(12))
    reply.headers = date_of(NOW + timedelta(seconds=ahead))
    assert held(reply, NOW) == 11.0
    assert held(reply, NOW + timedelta(hours=1)) == 29.0


def test_without_a_date_the_local_clock_gives_the_estimate() -> None:
    reply = Reply(200, body=b'{"data": {"lease_expires_at": "%s"}}' % after(5).encode())
    assert held(reply, NOW) == 4.0
    assert held(reply, NOW - timedelta(hours=1)) == 29.0
    assert held(reply, NOW + timedelta(hours=1)) == 29.0


@pytest.mark.parametrize("expires_at", [None, "soon", 7])
def test_a_lease_of_unknown_length_counts_as_30_seconds(expires_at) -> None:
    assert held(data(lease_expires_at=expires_at)) == 29.0


@pytest.mark.parametrize("reply", NOT_THE_PLATFORMS)
def test_a_response_of_another_server_ends_no_lease(reply) -> None:
    assert isinstance(read_heartbeat(reply, NOW), (Undecided, LeaseExtended))
    assert isinstance(read_submit(reply), Undecided)
    assert isinstance(read_bid(reply, NOW), Undecided)


@pytest.mark.parametrize(
    ("status", "code"),
    [(404, "task_run_not_found"), (410, "lease_expired"), (404, "kernel_job_not_found")],
)
def test_an_error_code_of_the_platform_ends_a_lease(status, code) -> None:
    for reading in (read_heartbeat(refusal(status, code), NOW), read_submit(refusal(status, code))):
        assert isinstance(reading, LeaseGone)
        assert reading.error.code == code


def test_a_code_with_another_status_ends_no_lease() -> None:
    assert isinstance(read_submit(refusal(500, "lease_expired")), Undecided)


def test_an_award_has_its_lease() -> None:
    reply = data(accepted=True, task_run_id="run-1", lease_expires_at=after(30))
    reading = read_bid(reply, NOW)
    assert isinstance(reading, Award)
    assert (reading.result["task_run_id"], reading.lease_seconds) == ("run-1", 29.0)


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (data(accepted=False, code="already_awarded"), "already_awarded"),
        (data(accepted=False), "refused"),
        (data(accepted=False, code=None), "refused"),
        (data(accepted=False, code="x" * 9999), "x" * 200),
        (refusal(410, "bid_window_expired"), "bid_window_expired"),
        (refusal(404, "kernel_job_not_found"), "kernel_job_not_found"),
        (refusal(409, "busy"), "busy"),
    ],
)
def test_a_refused_bid_has_its_code(reply, code) -> None:
    reading = read_bid(reply, NOW)
    assert isinstance(reading, BidRefused)
    assert reading.code == code
    assert not reading.is_unregistered


@pytest.mark.parametrize("code", ["worker_not_enabled", "capability_not_in_handler_set"])
def test_a_bid_shows_a_missing_registration(code) -> None:
    reading = read_bid(refusal(403, code, capability_key="a"), NOW)
    assert isinstance(reading, BidRefused)
    assert reading.is_unregistered
    assert reading.fields["capability_key"] == "a"


def test_a_refused_bid_has_its_other_fields() -> None:
    reading = read_bid(data(accepted=False, code="already_awarded", awarded_to_agent_id="b"), NOW)
    assert isinstance(reading, BidRefused)
    assert reading.fields["awarded_to_agent_id"] == "b"
    unreadable = read_bid(Reply(409, fault=UNREADABLE), NOW)
    assert (unreadable.code, unreadable.fields) == ("http_409", {})


@pytest.mark.parametrize("settled", [True, None, "absent"])
def test_a_success_without_settled_false_is_a_settlement(settled) -> None:
    fields = {} if settled == "absent" else {"settled": settled}
    assert isinstance(read_submit(data(payout_nc=1, **fields)), Settled)


@pytest.mark.parametrize(
    ("reply", "errors"),
    [
        (refusal(422, "validation_failed", validation_errors=["n: low"]), ["n: low"]),
        (data(settled=False, code="validation_failed", validation_errors=["n: low"]), ["n: low"]),
        (data(settled=False, code="other"), ["other"]),
        (data(settled=False), ["validation_failed"]),
        (refusal(422, None), ["no"]),
    ],
)
def test_a_refused_output_has_its_errors(reply, errors) -> None:
    reading = read_submit(reply)
    assert isinstance(reading, OutputRefused)
    assert reading.validation_errors == errors


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (refusal(422, None), "validation_failed"),
        (refusal(422, "too_long"), "too_long"),
        (data(settled=False), "validation_failed"),
        (data(settled=False, code="too_long"), "too_long"),
        (data(settled=False, code="x" * 9999), "x" * 200),
    ],
)
def test_a_refused_output_has_a_code(reply, code) -> None:
    reading = read_submit(reply)
    assert isinstance(reading, OutputRefused)
    assert reading.code == code


def test_an_html_422_does_not_refuse_an_output() -> None:
    assert isinstance(read_submit(page(422)), Undecided)


@pytest.mark.parametrize(
    ("reply", "is_final"),
    [
        (refusal(400, "bad_request"), True),
        (refusal(401, "invalid_key"), True),
        (refusal(403, None), True),
        (refusal(413, "too_large"), True),
        (page(413), True),
        (page(414), True),
        (page(431), True),
        (Reply(413, fault=UNREADABLE), True),
        (page(401), False),
        (page(403), False),
        (answer(403, message="Forbidden"), False),
        (refusal(404, None), False),
        (refusal(410, None), False),
        (refusal(429, "slow_down"), False),
        (refusal(408, "timeout"), False),
        (refusal(500, "internal"), False),
        (fault(httpx.ReadTimeout("slow")), False),
    ],
)
def test_final_errors_differ_from_temporary_ones(reply, is_final) -> None:
    reading = read_submit(reply)
    assert isinstance(reading, Undecided)
    assert reading.is_final is is_final


@pytest.mark.parametrize(
    ("reply", "may_have_worked"),
    [
        (fault(httpx.ReadTimeout("slow")), True),
        (fault(httpx.WriteError("reset")), True),
        (fault(httpx.ConnectError("refused")), False),
        (fault(httpx.ConnectTimeout("slow")), False),
        (fault(httpx.PoolTimeout("all in use")), False),
        (page(502), True),
        (refusal(503, "busy"), True),
        (refusal(408, "timeout"), True),
        (page(200), True),
        (refusal(429, "slow_down"), False),
        (page(404), False),
        (page(400), False),
        (page(399), True),
        (page(499), False),
    ],
)
def test_requests_that_may_have_worked_are_recognised(reply, may_have_worked) -> None:
    reading = read_submit(reply)
    assert isinstance(reading, Undecided)
    assert reading.may_have_worked is may_have_worked


def test_undecided_is_temporary_and_uncertain_by_default() -> None:
    reading = Undecided(ValueError())
    assert (reading.is_final, reading.may_have_worked, reading.retry_after) == (False, True, None)


def test_an_undecided_response_has_its_error_and_delay() -> None:
    reading = read_heartbeat(refusal(503, "busy", headers={"retry-after": "7"}), NOW)
    assert isinstance(reading, Undecided)
    assert reading.retry_after == 7
    assert "503" in str(reading.error)


@pytest.mark.parametrize(
    ("reply", "refused"),
    [
        (refusal(401, "invalid_key"), True),
        (refusal(403, "agent_suspended"), True),
        (refusal(401, None), True),
        (refusal(403, "worker_not_enabled"), False),
        (refusal(403, "capability_not_in_handler_set"), False),
        (page(401), False),
        (page(403), False),
        (answer(401, message="Unauthorized"), False),
        (Reply(401, body=b'["detail"]'), False),
        (refusal(400, "invalid_key"), False),
        (Reply(401), False),
        (fault(httpx.ReadError("reset")), False),
    ],
)
def test_only_the_api_itself_refuses_a_key(reply, refused) -> None:
    assert is_key_refused(reply) is refused


KEY = "nxt_ag_echoed-secret"


def echoed(**fields) -> Reply:
    """A success that contains the agent key."""
    body = json.dumps({"data": fields}).encode()
    return Reply(200, date_of(), body, redactor=Redactor(KEY))


def test_a_refused_bid_shows_no_echoed_key() -> None:
    reading = read_bid(echoed(accepted=False, code=f"no {KEY}", hint=[KEY]), NOW)
    assert isinstance(reading, BidRefused)
    assert "echoed" not in f"{reading.code} {reading.fields}"


def test_a_refused_output_shows_no_echoed_key() -> None:
    reply = echoed(settled=False, code=KEY, validation_errors=[f"Bearer%20{KEY}"])
    reading = read_submit(reply)
    assert isinstance(reading, OutputRefused)
    assert "echoed" not in f"{reading.code} {reading.validation_errors}"


def test_an_award_brings_the_length_of_its_lease() -> None:
    award = read_bid(data(accepted=True, task_run_id="r", lease_expires_at=after(20)), NOW)
    assert isinstance(award, Award)
    assert award.lease_seconds == 19.0


def test_an_award_without_a_date_uses_the_local_clock() -> None:
    undated = data(accepted=True, task_run_id="r", lease_expires_at=after(5))
    undated.headers = {}
    award = read_bid(undated, NOW)
    assert isinstance(award, Award)
    assert award.lease_seconds == 4.0


def test_an_extended_lease_has_the_platforms_response() -> None:
    reading = read_heartbeat(data(lease_expires_at=after(20)), NOW)
    assert isinstance(reading, LeaseExtended)
    assert reading.result["lease_expires_at"] == after(20)


@pytest.mark.parametrize(
    "code", ["already_awarded", "not_in_bidding", "bid_window_expired", "attempt_exhausted"]
)
def test_a_bid_on_a_closed_job_is_refused(code) -> None:
    reading = read_bid(refusal(410, code), NOW)
    assert isinstance(reading, BidRefused)
    assert reading.code == code


def test_a_conflict_without_a_code_refuses_a_bid() -> None:
    reading = read_bid(Reply(409), NOW)
    assert isinstance(reading, BidRefused)
    assert reading.code == "http_409"


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (lambda reply: read_bid(reply, NOW), "bid"),
        (lambda reply: read_heartbeat(reply, NOW), "heartbeat"),
        (read_submit, "submit"),
    ],
)
def test_an_unreadable_success_names_its_endpoint(read, name) -> None:
    reading = read(Reply(200, body=b"{"))
    assert f"POST /kernel-jobs/{{id}}/{name}: " in str(reading.error)
