"""A submit is retried until the platform answers, within the lease and at most a minute."""

from __future__ import annotations

import httpx
import pytest

from chaojiyuyan_core import api
from chaojiyuyan_core.http import Send
from chaojiyuyan_core.submission import SubmitOutcome, submit_until_settled
from support.replies import data, fault, page, refusal

SETTLED = data(settled=True, payout_nc=1)
NOT_FOUND = refusal(404, "task_run_not_found")
EXPIRED = refusal(410, "lease_expired")
SLOW = fault(httpx.ReadTimeout("slow"))


class Submit:
    """Runs the flow on a virtual clock, which attempts and sleeps advance, with a lease."""

    def __init__(
        self, *replies, lease: float = 30.0, is_kept: bool = False, each: float = 0.0, **options
    ) -> None:
        self.now = 100.0
        self.deadline = self.now + lease
        self.is_kept = is_kept
        self.is_gone = False
        self.sent: list[tuple[float, float]] = []
        self.told: list[float] = []
        self.slept: list[float] = []
        flow = submit_until_settled(
            api.submit("job-1", {"n": 1}),
            self,
            clock=lambda: self.now,
            draw=lambda: 0.0,
            on_retry=lambda _, delay: self.told.append(delay),
            **options,
        )
        answers = list(replies)
        reply = None
        try:
            while True:
                step = flow.send(reply)
                reply = None
                if isinstance(step, Send):
                    self.sent.append((self.now - 100.0, step.timeout))
                    self.now += each
                    reply = answers.pop(0) if len(answers) > 1 else answers[0]
                else:
                    self.sleep(step.seconds)
        except StopIteration as end:
            self.ended = end.value

    def remaining(self) -> float:
        return 25.0 if self.is_kept else self.deadline - self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.slept.append(seconds)
        self.now += seconds

    @property
    def outcome(self) -> SubmitOutcome:
        return self.ended.outcome


def test_an_acknowledged_submit_is_settled() -> None:
    submit = Submit(SETTLED)
    assert submit.outcome is SubmitOutcome.SETTLED
    assert submit.ended.result["payout_nc"] == 1
    assert not submit.ended.may_be_settled
    assert not submit.ended.is_gone


def test_no_attempt_is_longer_than_half_a_minute() -> None:
    assert Submit(SETTLED, lease=40.0).sent == [(0.0, 30.0)]


@pytest.mark.parametrize(
    "undecided",
    [
        SLOW,
        fault(httpx.ConnectError("refused")),
        refusal(503, "busy"),
        page(502),
        page(404),
        page(200),
    ],
)
def test_an_undecided_submit_is_retried(undecided) -> None:
    submit = Submit(undecided, undecided, SETTLED)
    assert (submit.outcome, len(submit.sent)) == (SubmitOutcome.SETTLED, 3)
    assert submit.told == [0.2, 0.4]


@pytest.mark.parametrize("undecided", [refusal(500, "internal"), page(502), SLOW])
def test_a_submit_without_a_decision_is_given_up_in_a_minute(undecided) -> None:
    submit = Submit(undecided, is_kept=True, each=0.5)
    assert submit.outcome is SubmitOutcome.GIVEN_UP
    assert 55 < submit.now - 100.0 <= 60.5
    assert len(submit.sent) < 30
    assert submit.ended.may_be_settled


def test_no_attempt_lasts_after_the_minute() -> None:
    submit = Submit(SLOW, is_kept=True, each=17.0)
    assert all(begin + timeout <= 60 for begin, timeout in submit.sent)


def test_no_attempt_is_longer_than_the_lease() -> None:
    assert Submit(SETTLED, lease=4.0).sent == [(0.0, 4.0)]


@pytest.mark.parametrize("gone", [NOT_FOUND, EXPIRED])
@pytest.mark.parametrize("before", [SLOW, page(200), page(502)])
def test_gone_after_a_lost_answer_is_probably_settled(before, gone) -> None:
    submit = Submit(before, gone)
    assert submit.outcome is SubmitOutcome.PROBABLY_SETTLED
    assert submit.ended.may_be_settled
    assert submit.ended.is_gone


@pytest.mark.parametrize("gone", [NOT_FOUND, EXPIRED])
@pytest.mark.parametrize("before", [None, refusal(429, "slow"), page(404)])
def test_gone_without_an_attempt_that_may_have_worked_is_lost(before, gone) -> None:
    submit = Submit(*([before] if before else []), gone)
    assert submit.outcome is SubmitOutcome.LOST
    assert not submit.ended.may_be_settled


def test_gone_after_the_deadline_is_lost() -> None:
    submit = Submit(SLOW, NOT_FOUND, lease=5.0, each=3.0)
    assert submit.outcome is SubmitOutcome.LOST
    assert submit.ended.may_be_settled


class Overtaken(Submit):
    """A submit whose lease is lost during a sleep, because a heartbeat fails."""

    def remaining(self) -> float:
        return 0.0 if self.is_gone else super().remaining()

    def sleep(self, seconds: float) -> None:
        self.is_gone = True


@pytest.mark.parametrize(
    ("before", "outcome"),
    [(SLOW, SubmitOutcome.PROBABLY_SETTLED), (refusal(429, "slow"), SubmitOutcome.LOST)],
)
def test_nothing_is_sent_after_a_heartbeat_lost_the_lease(before, outcome) -> None:
    submit = Overtaken(before)
    assert (submit.outcome, len(submit.sent)) == (outcome, 1)


def test_nothing_is_sent_past_the_deadline() -> None:
    submit = Submit(refusal(503, "busy"), lease=5.0)
    assert submit.outcome is SubmitOutcome.LOST
    assert len(submit.sent) > 2
    assert all(begin < 5.0 for begin, _ in submit.sent)
    assert Submit(SETTLED, lease=0.0).sent == []


def test_retry_after_is_followed_in_full() -> None:
    submit = Submit(refusal(429, "slow", headers={"retry-after": "20"}), SETTLED, is_kept=True)
    assert [begin for begin, _ in submit.sent] == [0.0, 20.0]


def test_a_shorter_retry_after_does_not_shorten_the_delay() -> None:
    slow = refusal(429, "slow", headers={"retry-after": "0.1"})
    submit = Submit(*[slow] * 6, SETTLED)
    assert submit.told == [0.2, 0.4, 0.8, 1.6, 3.0, 3.0]


def test_a_delay_longer_than_the_minute_gives_up_at_once() -> None:
    submit = Submit(refusal(429, "slow", headers={"retry-after": "61"}), is_kept=True)
    assert (submit.outcome, submit.now) == (SubmitOutcome.GIVEN_UP, 100.0)
    assert "429" in str(submit.ended.error)


def test_a_delay_longer_than_the_lease_ends_with_it() -> None:
    submit = Submit(refusal(429, "slow", headers={"retry-after": "40"}), lease=10.0)
    assert (submit.outcome, submit.now) == (SubmitOutcome.LOST, 110.0)
    assert not submit.ended.is_gone


@pytest.mark.parametrize("answer", [refusal(422, "x", validation_errors=["n: low"])])
def test_a_refused_output_is_not_retried(answer) -> None:
    submit = Submit(answer)
    assert (submit.outcome, len(submit.sent)) == (SubmitOutcome.REFUSED, 1)
    assert submit.ended.refusal.validation_errors == ["n: low"]


@pytest.mark.parametrize("answer", [refusal(400, "bad"), refusal(401, "key"), page(413)])
def test_a_submit_that_cannot_succeed_is_given_up(answer) -> None:
    submit = Submit(answer)
    assert (submit.outcome, len(submit.sent)) == (SubmitOutcome.GIVEN_UP, 1)
    assert not submit.ended.may_be_settled
    assert submit.ended.error is not None


def test_the_last_sleep_of_a_lease_is_short_but_not_zero() -> None:
    submit = Submit(refusal(429, "slow"), lease=0.01)
    assert (submit.outcome, submit.slept) == (SubmitOutcome.LOST, [0.05])


def test_an_earlier_possible_settlement_is_remembered() -> None:
    submit = Submit(NOT_FOUND, may_be_settled=True)
    assert submit.outcome is SubmitOutcome.PROBABLY_SETTLED


@pytest.mark.parametrize(("seconds", "sent"), [(0.0, []), (0.5, [(0.0, 0.5)])])
def test_max_seconds_is_used_and_not_exceeded(seconds, sent) -> None:
    submit = Submit(SLOW, is_kept=True, each=0.5, max_seconds=seconds)
    assert (submit.outcome, submit.sent) == (SubmitOutcome.GIVEN_UP, sent)


@pytest.mark.parametrize(
    ("lease", "outcome"),
    [(3.7, SubmitOutcome.PROBABLY_SETTLED), (3.2, SubmitOutcome.LOST), (3.0, SubmitOutcome.LOST)],
)
def test_gone_counts_as_settled_only_before_the_deadline(lease, outcome) -> None:
    submit = Submit(SLOW, NOT_FOUND, lease=lease, each=1.5)  # responses at 1.5 s and 3.2 s
    assert submit.outcome is outcome


def test_a_delay_until_the_end_of_the_minute_gives_up() -> None:
    submit = Submit(refusal(429, "slow", headers={"retry-after": "60"}), is_kept=True)
    assert (submit.outcome, submit.now) == (SubmitOutcome.GIVEN_UP, 100.0)
