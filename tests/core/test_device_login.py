from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from chaojiyuyan_core.api import start_device_login as start_call
from chaojiyuyan_core.device_login import instructions, start_device_login, wait_for_approval
from chaojiyuyan_core.errors import (
    DeviceFlowError,
    DeviceFlowTimeout,
    HebingAPIError,
    ResponseFormatError,
)
from chaojiyuyan_core.http import RequestBuilder, Transport, run
from support.flows import as_reply

if TYPE_CHECKING:
    from chaojiyuyan_core.models import DeviceCode

CODE: DeviceCode = {
    "device_code": "dev",
    "user_code": "WXYZ-1234",
    "verification_url": "https://example.com/device",
    "verification_url_complete": "https://example.com/device?code=WXYZ-1234",
    "expires_in": 900,
    "interval": 5,
}
TOKEN = {"api_key": "nxt_ag_k", "account_id": "acc"}


def without(*names: str) -> Any:
    return {name: value for name, value in CODE.items() if name not in names}


def test_the_login_polls_until_the_approval(script: Any, answer: Any) -> None:
    flow = wait_for_approval(CODE, now=script.now)
    assert script.play(flow, answer(428), answer(428), answer(200, data=TOKEN)) == TOKEN
    assert script.sleeps == [5, 5]
    assert all(step.call.body == {"device_code": "dev"} for step in script.sent)
    assert not any(step.call.authorized for step in script.sent)


@pytest.mark.parametrize(
    ("interval", "sleeps"),
    [
        (1, [6, 11, 16, 21, 26, 30, 30]),
        (28, [30, 30]),
        (40, [40, 40]),
        (0, [6, 11]),
        (0.2, [6, 11]),
    ],
)
def test_slow_down_adds_five_seconds_up_to_thirty_and_never_shrinks(
    script: Any, answer: Any, interval: float, sleeps: list[float]
) -> None:
    flow = wait_for_approval({**CODE, "interval": interval}, now=script.now)
    slow = [answer(429)] * len(sleeps)
    assert script.play(flow, *slow, answer(200, data=TOKEN)) == TOKEN
    assert script.sleeps == sleeps


@pytest.mark.parametrize("interval", [None, "5", float("nan"), True, -1])
def test_without_a_valid_interval_the_callers_is_used(
    script: Any, answer: Any, interval: Any
) -> None:
    code = {**CODE, "interval": interval}
    script.play(
        wait_for_approval(code, now=script.now, poll_interval=7),
        answer(428),
        answer(200, data=TOKEN),
    )
    assert script.sleeps == [7]


def test_polls_are_at_least_a_second_apart(script: Any, answer: Any) -> None:
    flow = wait_for_approval({**CODE, "interval": 0.01}, now=script.now)
    script.play(flow, answer(428), answer(200, data=TOKEN))
    assert script.sleeps == [1]


def test_retry_after_is_followed(script: Any, answer: Any) -> None:
    flow = wait_for_approval(CODE, now=script.now)
    slow = answer(429, headers={"Retry-After": "25"})
    script.play(flow, slow, answer(428), answer(200, data=TOKEN))
    assert script.sleeps == [25, 10]


@pytest.mark.parametrize("wrapped", [True, False])
def test_the_codes_of_rfc_8628_are_understood(script: Any, answer: Any, wrapped: bool) -> None:
    def error(code: str) -> httpx.Response:
        return answer(400, code=code) if wrapped else answer(400, error=code)

    flow = wait_for_approval(CODE, now=script.now)
    pending = (error("authorization_pending"), error("slow_down"), error("authorization_pending"))
    assert script.play(flow, *pending, answer(200, data=TOKEN)) == TOKEN
    assert script.sleeps == [5, 10, 10]
    for code, text in (("access_denied", "denied"), ("expired_token", "expired")):
        with pytest.raises(DeviceFlowError, match=text):
            script.play(wait_for_approval(CODE, now=script.now), error(code))


def test_status_410_ends_the_login(script: Any, answer: Any) -> None:
    with pytest.raises(DeviceFlowError, match="some text"):
        script.play(wait_for_approval(CODE, now=script.now), answer(428), answer(410, code="x"))


def test_another_error_is_an_api_error(script: Any, answer: Any) -> None:
    with pytest.raises(HebingAPIError) as caught:
        script.play(wait_for_approval(CODE, now=script.now), answer(400, code="bad"))
    assert caught.value.code == "bad"
    with pytest.raises(ResponseFormatError):
        script.play(wait_for_approval(CODE, now=script.now), answer(200, data={"key": 1}))


def test_faults_are_retried(script: Any, answer: Any) -> None:
    flow = wait_for_approval(CODE, now=script.now)
    faults = (httpx.ConnectError("refused"), answer(503), httpx.ReadTimeout("slow"), answer(522))
    assert script.play(flow, *faults, answer(200, data=TOKEN)) == TOKEN
    with pytest.raises(httpx.UnsupportedProtocol):
        script.play(
            wait_for_approval(CODE, now=script.now), httpx.UnsupportedProtocol("no such scheme")
        )


@pytest.mark.parametrize(
    ("timeout", "expires_in", "polls", "total"),
    [(12, 900, 4, 12), (600, 12, 4, 12), (600, None, 121, 600)],
)
def test_the_login_ends_at_its_timeout_or_expiry(
    script: Any, answer: Any, timeout: float, expires_in: Any, polls: int, total: float
) -> None:
    code = {**CODE, "expires_in": expires_in}
    with pytest.raises(DeviceFlowTimeout):
        script.play(wait_for_approval(code, now=script.now, timeout=timeout), answer(428))
    assert len(script.sent) == polls
    assert sum(script.sleeps) == total


def test_the_last_fault_is_the_cause_of_the_timeout(script: Any) -> None:
    fault = httpx.ConnectError("refused")
    with pytest.raises(DeviceFlowTimeout) as caught:
        script.play(wait_for_approval(CODE, now=script.now, timeout=3), fault)
    assert caught.value.__cause__ is fault


def test_the_start_is_retried_after_a_fault(script: Any, answer: Any) -> None:
    code = script.play(start_device_login("me"), answer(503), answer(200, data=CODE))
    assert code == CODE
    assert script.sent[0].call.body == {"client_name": "me"}


@pytest.mark.parametrize(
    "changed",
    [
        {"verification_url": "file:///etc/passwd"},
        {"verification_url": "javascript:alert(1)"},
        {"verification_url_complete": "https://x/\x1b]0;"},
        {"user_code": "\x1b[2J"},
        {"user_code": None},
        {"device_code": 5},
    ],
)
def test_a_code_that_is_unsafe_to_show_is_refused(answer: Any, changed: Any) -> None:
    with pytest.raises(ResponseFormatError):
        as_reply(answer(200, data={**CODE, **changed})).value(start_call("me"))


def test_the_instructions_name_url_and_code() -> None:
    assert instructions(CODE) == [
        "Connect to hebing",
        "-----------------",
        "1) Open: https://example.com/device?code=WXYZ-1234",
        "2) Enter code: WXYZ-1234",
        "Waiting for approval in your browser...",
    ]
    assert "1) Open: https://example.com/device" in instructions(
        without("verification_url_complete")
    )


def test_the_local_kernel_approves_a_login(kernel: Any) -> None:
    transport = Transport(RequestBuilder(None, kernel.base_url, timeout=10))
    clock = [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds
        if clock[0] > 4:
            kernel.approve_login(code["user_code"])

    code = run(start_device_login("a test"), transport)
    token = run(wait_for_approval(code, now=lambda: clock[0]), transport, sleep=sleep)
    assert token["api_key"].startswith("nxt_ag_")
    denied = run(start_device_login("a test"), transport)
    kernel.deny_login(denied["user_code"])
    with pytest.raises(DeviceFlowError):
        run(wait_for_approval(denied, now=lambda: 0.0), transport)
    transport.close()


@pytest.mark.parametrize("interval", [10**400, 1e300, -1, "5", True, None])
def test_an_invalid_interval_is_the_default(script: Any, answer: Any, interval: Any) -> None:
    code = {**CODE, "interval": interval, "expires_in": 10**400}
    token = {"api_key": "nxt_ag_0123456789"}
    flow = wait_for_approval(code, now=script.now)
    assert script.play(flow, answer(428), answer(200, data=token)) == token
    assert script.sleeps == [5]
