"""Only the submit is repeated, and only while the lease lasts."""

from __future__ import annotations

import httpx
import pytest

from chaojiyuyan_core import api
from chaojiyuyan_worker._run.submission import Outcome, submit
from chaojiyuyan_worker.leases import Loss

SETTLED = httpx.Response(200, json={"data": {"settled": True, "payout_nc": 1}})
NOT_FOUND = httpx.Response(404, json={"detail": {"error": "no", "code": "task_run_not_found"}})
EXPIRED = httpx.Response(410, json={"detail": {"error": "no", "code": "lease_expired"}})


class Lease:
    """A lease of so many seconds, on a clock that only sleeping moves."""

    def __init__(self, seconds: float = 30) -> None:
        self.left = seconds
        self.gone = False

    @property
    def lost(self) -> Loss | None:
        return Loss.GONE if self.gone else Loss.EXPIRED if self.left <= 0 else None

    def remaining(self) -> float:
        return self.left

    def sleep(self, seconds: float) -> None:
        self.left -= seconds


class Wire:
    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.sent = 0

    def send(self, call, timeout=None):
        self.sent += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def outcome(*answers, lease=None):
    lease = lease or Lease()
    wire = Wire(*answers)
    call = api.submit("job-1", {"n": 1})
    verdict = submit(wire, call, lease, {}, sleep=lease.sleep, draw=lambda: 0.5)
    return verdict, wire.sent, lease


def test_an_acknowledged_submit_is_settled() -> None:
    verdict, sent, _ = outcome(SETTLED)
    assert (verdict.outcome, sent) == (Outcome.SETTLED, 1)


@pytest.mark.parametrize(
    "fault",
    [
        httpx.ReadTimeout("slow"),
        httpx.ConnectError("refused"),
        httpx.Response(503),
        httpx.Response(502, html="<h1>Bad Gateway</h1>"),
        httpx.Response(404, html="<h1>default backend</h1>"),
        httpx.Response(200, content=b"{"),
    ],
)
def test_an_undecided_submit_is_repeated(fault) -> None:
    verdict, sent, _ = outcome(fault, fault, SETTLED)
    assert (verdict.outcome, sent) == (Outcome.SETTLED, 3)


@pytest.mark.parametrize("gone", [NOT_FOUND, EXPIRED])
def test_gone_after_an_unanswered_attempt_is_probably_settled(gone) -> None:
    verdict, sent, _ = outcome(httpx.ReadTimeout("slow"), gone)
    assert (verdict.outcome, sent) == (Outcome.PROBABLY_SETTLED, 2)
    assert "unanswered" in verdict.reason


@pytest.mark.parametrize("gone", [NOT_FOUND, EXPIRED])
def test_gone_at_the_first_attempt_is_lost(gone) -> None:
    verdict, sent, _ = outcome(gone)
    assert (verdict.outcome, sent) == (Outcome.LOST, 1)


def test_gone_after_a_refusal_to_serve_is_lost() -> None:
    verdict, _, _ = outcome(httpx.Response(429), NOT_FOUND)
    assert verdict.outcome is Outcome.LOST


def test_a_beat_that_says_gone_after_an_unanswered_attempt_is_probably_settled() -> None:
    lease = Lease()

    def sleep(seconds: float) -> None:
        lease.gone = True

    lease.sleep = sleep
    verdict, sent, _ = outcome(httpx.ReadTimeout("slow"), lease=lease)
    assert (verdict.outcome, sent) == (Outcome.PROBABLY_SETTLED, 1)


def test_nothing_is_sent_past_the_deadline() -> None:
    verdict, sent, lease = outcome(httpx.Response(503), lease=Lease(5))
    assert verdict.outcome is Outcome.LOST
    assert lease.left <= 0
    assert sent > 2
    assert outcome(SETTLED, lease=Lease(0))[1] == 0


def test_retry_after_is_honoured_within_the_lease() -> None:
    _, _, lease = outcome(httpx.Response(429, headers={"retry-after": "7"}), SETTLED)
    assert lease.left == 23
    verdict, sent, _ = outcome(httpx.Response(429, headers={"retry-after": "600"}), SETTLED)
    assert (verdict.outcome, sent) == (Outcome.LOST, 1)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(
            422, json={"detail": {"code": "validation_failed", "validation_errors": ["n: low"]}}
        ),
        httpx.Response(
            200,
            json={
                "data": {
                    "settled": False,
                    "code": "validation_failed",
                    "validation_errors": ["n: low"],
                }
            },
        ),
    ],
)
def test_a_refused_output_tells_why(answer) -> None:
    verdict, sent, _ = outcome(answer)
    assert (verdict.outcome, verdict.validation_errors, sent) == (Outcome.REFUSED, ["n: low"], 1)


@pytest.mark.parametrize("status", [400, 401, 403, 413])
def test_a_submit_that_cannot_succeed_is_given_up(status) -> None:
    verdict, sent, _ = outcome(httpx.Response(status, json={"detail": "no"}))
    assert (verdict.outcome, sent) == (Outcome.GIVEN_UP, 1)
