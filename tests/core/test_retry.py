from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import given, strategies as st

from chaojiyuyan_core import api
from chaojiyuyan_core.errors import NotFoundError, RateLimitError, ServerError
from chaojiyuyan_core.http import Retry, exchange, request

JOB = {"id": "j1", "status": "queued"}
SAFE = api.get_job("j1")
UNSAFE = api.create_job("c", {})
KEYED = api.create_job("c", {}, idempotency_key="k")


def no_jitter() -> float:
    return 0.0


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("call", [SAFE, KEYED, api.poll_device_login("d")])
def test_a_repeatable_call_has_three_attempts(
    script: Any, answer: Any, call: Any, status: int
) -> None:
    last = script.play(exchange(call, Retry(), draw=no_jitter), answer(status))
    assert last.status == status
    assert len(script.sent) == 3
    assert script.sleeps == [0.5, 1.0]


@pytest.mark.parametrize("call", [UNSAFE, api.bid("j"), api.submit("j", {}), api.heartbeat("j")])
@pytest.mark.parametrize("fault", [503, httpx.ReadTimeout("slow")])
def test_a_call_that_is_not_repeatable_is_sent_once(
    script: Any, answer: Any, call: Any, fault: Any
) -> None:
    given = answer(fault) if isinstance(fault, int) else fault
    flow = exchange(call, Retry(max_retries=5))
    if isinstance(fault, int):
        assert script.play(flow, given).status == fault
    else:
        with pytest.raises(httpx.ReadTimeout):
            script.play(flow, given)
    assert len(script.sent) == 1


@pytest.mark.parametrize("status", [200, 201, 302, 400, 401, 403, 404, 409, 410, 422, 501, 505])
def test_other_statuses_are_final(script: Any, answer: Any, status: int) -> None:
    assert script.play(exchange(SAFE, Retry()), answer(status)).status == status
    assert script.sleeps == []


@pytest.mark.parametrize(
    ("fault", "attempts"),
    [
        (httpx.ConnectError("refused"), 3),
        (httpx.ConnectTimeout("slow"), 3),
        (httpx.ReadTimeout("slow"), 3),
        (httpx.WriteError("broken pipe"), 3),
        (httpx.RemoteProtocolError("cut"), 3),
        (httpx.PoolTimeout("busy"), 3),
        (httpx.UnsupportedProtocol("ftp"), 1),
        (httpx.LocalProtocolError("bad header"), 1),
        (httpx.TooManyRedirects("round"), 1),
    ],
)
def test_connection_errors_are_raised_after_the_last_attempt(
    script: Any, fault: Exception, attempts: int
) -> None:
    with pytest.raises(type(fault)) as caught:
        script.play(exchange(SAFE, Retry()), fault)
    assert caught.value is fault
    assert len(script.sent) == attempts


def test_zero_retries_is_one_attempt(script: Any, answer: Any) -> None:
    script.play(exchange(SAFE, Retry(0)), answer(503))
    assert len(script.sent) == 1


def test_a_successful_retry_is_the_result(script: Any, answer: Any) -> None:
    faults = (httpx.ConnectError("refused"), answer(503))
    assert script.play(request(KEYED, Retry()), *faults, answer(200, data=JOB)) == JOB
    keys = {step.call.body["idempotency_key"] for step in script.sent}
    assert keys == {"k"}


@pytest.mark.parametrize(
    ("status", "kind"), [(503, ServerError), (429, RateLimitError), (404, NotFoundError)]
)
def test_the_last_response_is_the_error(
    script: Any, answer: Any, status: int, kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        script.play(request(SAFE, Retry()), answer(status))


@pytest.mark.parametrize(
    ("header", "sleeps"),
    [
        ("7", [7, 7]),
        ("0", [0, 0]),
        ("120", [120, 120]),
        ("121", []),
        ("86400", []),
        ("nonsense", [0.5, 1]),
        ("Sun, 22 Nov 2026 12:00:09 GMT", [9, 9]),
        ("Sun, 22 Nov 2026 13:00:00 GMT", []),
    ],
)
def test_retry_after_is_followed_up_to_two_minutes(
    script: Any, answer: Any, header: str, sleeps: list[float]
) -> None:
    headers = {"Retry-After": header, "Date": "Sun, 22 Nov 2026 12:00:00 GMT"}
    busy = answer(429, headers=headers)
    assert script.play(exchange(SAFE, Retry(), draw=no_jitter), busy).status == 429
    assert script.sleeps == sleeps


@given(st.integers(0, 5000), st.floats(0, 1))
def test_the_delays_grow_to_a_limit_with_jitter(attempt: int, random: float) -> None:
    retry = Retry()
    full = min(0.5 * 2.0 ** min(attempt, 32), 8)
    assert full / 2 <= retry.backoff(attempt, random) <= full


def test_a_deadline_limits_attempts_and_retries(script: Any, answer: Any) -> None:
    deadline = script.now() + 2.0

    def left() -> float:
        return float(deadline - script.now())

    flow = exchange(SAFE, Retry(max_retries=9), left=left, draw=no_jitter)
    assert script.play(flow, answer(503)).status == 503
    assert script.sleeps == [0.5, 1.0]
    assert [step.timeout for step in script.sent] == [2.0, 1.5, 0.5]
