"""The flow of a wait, step by step, on a virtual clock."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from chaojiyuyan_client.waiting import wait_for_job
from chaojiyuyan_core.errors import (
    AuthenticationError,
    JobTimeout,
    NotFoundError,
    ResponseFormatError,
    ServerError,
)
from chaojiyuyan_core.http import Retry
from support.flows import as_reply

RUNNING = {"id": "j1", "status": "running"}
DONE = {"id": "j1", "status": "succeeded", "output_envelope": {}}


@pytest.fixture
def wait(script: Any) -> Any:
    def start(timeout: float = 300.0, poll_interval: float = 3.0, **options: Any) -> Any:
        return wait_for_job(
            "j1",
            timeout=timeout,
            poll_interval=poll_interval,
            retry=Retry(),
            now=script.now,
            draw=lambda: 0.0,
            **options,
        )

    return start


def test_an_ended_job_is_read_once(script: Any, answer: Any, wait: Any) -> None:
    assert script.play(wait(), answer(200, data=DONE)) == DONE
    assert script.sleeps == []


def test_without_long_polling_the_intervals_grow(script: Any, answer: Any, wait: Any) -> None:
    running = [answer(200, data=RUNNING)] * 25
    script.play(wait(), *running, answer(200, data=DONE))
    assert script.sleeps[:4] == [0.1, 0.125, 0.15625, 0.195312]
    assert script.sleeps == sorted(script.sleeps)
    assert script.sleeps[-1] == 3.0
    assert len(script.sleeps) == 25


@pytest.mark.parametrize("settles", [0.1, 0.5, 1.0, 2.0, 10.0])
def test_a_job_is_noticed_soon_with_few_requests(
    script: Any, answer: Any, wait: Any, settles: float
) -> None:
    began = script.time
    flow = wait()
    step = flow.send(None)
    requests = 0
    with pytest.raises(StopIteration):
        while True:
            if hasattr(step, "seconds"):
                script.time += step.seconds
                step = flow.send(None)
            else:
                requests += 1
                settled = script.time - began >= settles
                step = flow.send(as_reply(answer(200, data=DONE if settled else RUNNING)))
    assert script.time - began - settles <= settles / 4 + 0.1
    assert requests <= 12 or settles > 2


def test_after_a_long_poll_the_next_request_follows_at_once(
    script: Any, answer: Any, wait: Any
) -> None:
    held = answer(200, data=RUNNING, headers={"Preference-Applied": "wait=30"})
    script.play(wait(), held, held, answer(200, data=DONE), each_takes=30)
    assert script.sleeps == []
    assert [step.call.wait for step in script.sent] == [30, 30, 30]
    assert all(step.timeout > step.call.wait for step in script.sent)


def test_a_false_long_poll_claim_is_polled_at_intervals(
    script: Any, answer: Any, wait: Any
) -> None:
    held = answer(200, data=RUNNING, headers={"Preference-Applied": "wait=30"})
    script.play(wait(), held, held, answer(200, data=DONE), each_takes=0.001)
    assert script.sleeps == [0.1, 0.125]


@pytest.mark.parametrize("timeout", [0.05, 1, 4, 7.7])
def test_the_last_poll_is_at_the_deadline(
    script: Any, answer: Any, wait: Any, timeout: float
) -> None:
    began = script.time
    with pytest.raises(JobTimeout) as caught:
        script.play(wait(timeout), answer(200, data=RUNNING))
    assert sum(script.sleeps) == pytest.approx(timeout)
    assert script.time - began == pytest.approx(timeout)
    assert (caught.value.job_id, caught.value.timeout) == ("j1", timeout)
    assert caught.value.__cause__ is None


def test_a_job_that_ends_at_the_deadline_is_returned(script: Any, answer: Any, wait: Any) -> None:
    polls = [answer(200, data=RUNNING)] * 2
    assert script.play(wait(0.2), *polls, answer(200, data=DONE)) == DONE


def test_a_long_poll_never_lasts_past_the_deadline(script: Any, answer: Any, wait: Any) -> None:
    held = answer(200, data=RUNNING, headers={"Preference-Applied": "wait=1"})
    with pytest.raises(JobTimeout):
        script.play(wait(3.7), held, each_takes=1)
    assert [step.call.wait for step in script.sent][:3] == [2, 1, None]
    limits = [step.timeout for step in script.sent]
    assert limits[:3] == pytest.approx([3.7, 2.7, 1.7])
    assert limits[-1] == pytest.approx(0.7)


def test_a_hanging_request_ends_at_the_deadline(script: Any, wait: Any) -> None:
    with pytest.raises(JobTimeout) as caught:
        script.play(wait(4), httpx.ReadTimeout("slow"), each_takes=4)
    assert [step.timeout for step in script.sent] == [4]
    assert isinstance(caught.value.__cause__, httpx.ReadTimeout)


def test_a_timeout_of_zero_polls_once(script: Any, answer: Any, wait: Any) -> None:
    with pytest.raises(JobTimeout):
        script.play(wait(0), answer(200, data=RUNNING))
    assert len(script.sent) == 1


def test_the_time_may_start_before_the_wait(script: Any, answer: Any, wait: Any) -> None:
    began = script.time
    script.time += 3
    with pytest.raises(JobTimeout) as caught:
        script.play(wait(5, since=began), answer(200, data=RUNNING))
    assert sum(script.sleeps) == pytest.approx(2)
    assert caught.value.timeout == 5


FAULTS: list[Any] = [
    httpx.ConnectError("refused"),
    httpx.ReadTimeout("slow"),
    httpx.RemoteProtocolError("cut"),
    500,
    520,
    503,
    429,
    408,
    "html",
]


def made(fault: Any, answer: Any) -> Any:
    if fault == "html":
        return httpx.Response(200, text="<html><title>Maintenance</title></html>")
    return answer(fault) if isinstance(fault, int) else fault


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_retried(script: Any, answer: Any, wait: Any, fault: Any) -> None:
    job = script.play(wait(), *[made(fault, answer)] * 4, answer(200, data=DONE))
    assert job == DONE
    assert script.sleeps == [0.5, 1, 2, 3]


def test_a_server_that_stays_down_times_out_with_the_fault(script: Any, wait: Any) -> None:
    fault = httpx.ConnectError("refused")
    with pytest.raises(JobTimeout) as caught:
        script.play(wait(10), fault)
    assert caught.value.__cause__ is fault
    assert sum(script.sleeps) == pytest.approx(10)


@pytest.mark.parametrize(("status", "kind"), [(503, ServerError), (200, ResponseFormatError)])
def test_an_error_response_is_the_cause(
    script: Any, answer: Any, wait: Any, status: int, kind: type
) -> None:
    with pytest.raises(JobTimeout) as caught:
        script.play(wait(1), answer(status))
    assert isinstance(caught.value.__cause__, kind)


def test_a_fault_before_a_success_is_not_the_cause(script: Any, answer: Any, wait: Any) -> None:
    with pytest.raises(JobTimeout) as caught:
        script.play(wait(2), answer(503), answer(200, data=RUNNING))
    assert caught.value.__cause__ is None


def test_retry_after_is_followed_until_the_deadline(script: Any, answer: Any, wait: Any) -> None:
    busy = answer(429, headers={"Retry-After": "7"})
    assert script.play(wait(), busy, answer(200, data=DONE)) == DONE
    with pytest.raises(JobTimeout):
        script.play(wait(5), answer(503, headers={"Retry-After": "3600"}))
    assert script.sleeps == [7, 5]


def test_retry_after_is_followed_for_at_most_two_minutes(
    script: Any, answer: Any, wait: Any
) -> None:
    away = answer(503, headers={"Retry-After": "3600"})
    assert script.play(wait(7200), away, answer(200, data=DONE)) == DONE
    assert script.sleeps == [120]


@pytest.mark.parametrize(("status", "kind"), [(404, NotFoundError), (401, AuthenticationError)])
def test_a_refusal_ends_the_wait_at_once(
    script: Any, answer: Any, wait: Any, status: int, kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        script.play(wait(), answer(status))
    assert script.sleeps == []


@pytest.mark.parametrize("status", [401, 403, 404])
def test_an_html_page_of_a_gateway_is_retried(
    script: Any, answer: Any, wait: Any, status: int
) -> None:
    page = httpx.Response(status, html="<html><title>Access denied</title></html>")
    answers = [answer(200, data=RUNNING), page, page, answer(200, data=DONE)]
    assert script.play(wait(), *answers) == DONE
    assert script.sleeps == [0.1, 0.5, 1.0]
    with pytest.raises(JobTimeout) as caught:
        script.play(wait(20), page)
    assert "Access denied" in str(caught.value.__cause__)


def test_every_change_of_status_is_reported_once(script: Any, answer: Any, wait: Any) -> None:
    told: list[str] = []
    statuses = ["queued", "queued", "bidding", "running", "running", "succeeded"]
    answers = [answer(200, data={"id": "j1", "status": status}) for status in statuses]
    script.play(wait(on_update=lambda job: told.append(job["status"])), *answers)
    assert told == ["queued", "bidding", "running", "succeeded"]


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("queued", ": it is queued, and no worker has taken it"),
        ("bidding", ": it is bidding, and no worker has taken it"),
        ("running", ": it is running"),
    ],
)
def test_a_timeout_names_the_last_status(
    script: Any, answer: Any, wait: Any, status: str, told: str
) -> None:
    with pytest.raises(JobTimeout) as caught:
        script.play(wait(2), answer(200, data={"id": "j1", "status": status}), answer(503))
    assert caught.value.status == status
    assert str(caught.value) == f"Job j1 did not end within 2 s{told}"
    assert JobTimeout("j1", 2).status is None


def test_an_error_of_on_update_is_raised(script: Any, answer: Any, wait: Any) -> None:
    def fail(job: object) -> None:
        raise ConnectionError("the listener's own")

    with pytest.raises(ConnectionError):
        script.play(wait(on_update=fail), answer(200, data=RUNNING))


@pytest.mark.parametrize("poll_interval", [0, -1, float("-inf"), 0.001])
def test_a_short_poll_interval_is_raised_to_the_first_interval(
    script: Any, answer: Any, wait: Any, poll_interval: float
) -> None:
    running = [answer(200, data=RUNNING)] * 5
    script.play(wait(poll_interval=poll_interval), *running, answer(200, data=DONE))
    assert script.sleeps == [0.1] * 5


@pytest.mark.parametrize("timeout", [float("nan"), float("inf"), -1, -0.001])
def test_an_invalid_timeout_sends_no_request(script: Any, wait: Any, timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout"):
        script.play(wait(timeout))
    assert script.sent == []


@pytest.mark.parametrize("options", [{"timeout": None}, {"timeout": "5"}, {"poll_interval": None}])
def test_a_value_that_is_not_a_number_is_a_type_error(script: Any, wait: Any, options: Any) -> None:
    with pytest.raises(TypeError, match="must be a number of seconds"):
        script.play(wait(**options))
    with pytest.raises(ValueError, match="NaN"):
        script.play(wait(poll_interval=float("nan")))
    assert script.sent == []


def test_a_response_about_another_job_is_retried(script: Any, answer: Any, wait: Any) -> None:
    other = answer(200, data={**DONE, "id": "j2"})
    assert script.play(wait(), other, answer(200, data=DONE)) == DONE
    with pytest.raises(JobTimeout) as caught:
        script.play(wait(2), other)
    assert isinstance(caught.value.__cause__, ResponseFormatError)


@pytest.mark.parametrize("job_id", ["", ".", ".."])
def test_an_invalid_id_sends_no_request(script: Any, job_id: str) -> None:
    flow = wait_for_job(job_id, timeout=1, poll_interval=1, retry=Retry(), now=script.now)
    with pytest.raises(ValueError, match="not an id"):
        script.play(flow)
    assert script.sent == []
