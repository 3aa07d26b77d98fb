"""The times of heartbeats and the end of a lease, with given times."""

from __future__ import annotations

import pytest

from chaojiyuyan_worker._run.schedule import Due, LeaseTimes, Schedule

NEVER = float("inf")


def times(seconds: float = 29.0, *, sent: float = 100.0, now: float = 100.0, **options):
    return LeaseTimes(sent, seconds, now=now, **options)


def test_the_deadline_starts_when_the_bid_is_sent() -> None:
    lease = times(29, sent=100, now=120)
    assert lease.deadline == 129
    assert lease.due(128.9) is Due.HEARTBEAT
    assert lease.due(129) is Due.EXPIRED


@pytest.mark.parametrize(("spread", "first"), [(0.0, 105.0), (0.5, 107.5), (1.0, 110.0)])
def test_first_heartbeats_are_spread(spread, first) -> None:
    lease = times(spread=spread)
    assert lease.next_heartbeat == first
    assert lease.due(first - 0.01) is None
    assert lease.due(first) is Due.HEARTBEAT


@pytest.mark.parametrize(("answered", "first"), [(100, 102), (103, 103.5), (104.5, 104.5)])
def test_the_default_interval_is_half_of_a_short_lease(answered, first) -> None:
    lease = times(4, now=answered)
    assert lease.is_kept
    assert lease.next_heartbeat == pytest.approx(first)


def test_after_a_late_answer_to_the_bid_heartbeats_are_sent() -> None:
    lease = times(29, now=120, interval=12.0)
    assert lease.is_kept
    assert lease.next_heartbeat == 124.5


@pytest.mark.parametrize(
    ("interval", "is_kept"), [(10.0, True), (5.0, True), (5.001, False), (3600.0, False)]
)
def test_a_custom_interval_above_the_lease_sends_none(interval, is_kept) -> None:
    lease = times(4, interval=interval)  # granted for 5 s
    assert lease.is_kept is is_kept
    assert (lease.next_heartbeat < NEVER) is is_kept
    assert lease.wake <= lease.deadline


def test_no_heartbeat_is_due_while_one_is_in_flight() -> None:
    lease = times()
    lease.start_heartbeat()
    assert lease.wake == 129
    assert lease.due(128) is None


@pytest.mark.parametrize(("spread", "pause"), [(0.0, 9.0), (1.0, 10.0)])
def test_a_response_extends_the_deadline_and_plans_the_next(spread, pause) -> None:
    lease = times()
    lease.start_heartbeat()
    lease.extend(110, 29, 111, spread)
    assert (lease.deadline, lease.next_heartbeat) == (139, 111 + pause)


def test_an_older_response_does_not_move_the_deadline() -> None:
    lease = times()
    lease.extend(112, 29, 112, 1.0)
    lease.extend(110, 29, 113, 1.0)
    assert lease.deadline == 141
    lease.extend(112, 20, 113, 1.0)
    assert lease.deadline == 132


def test_a_lease_without_heartbeats_never_gets_one() -> None:
    lease = times(4, interval=3600.0)
    lease.extend(101, 4, 101, 1.0)
    assert (lease.deadline, lease.next_heartbeat) == (105, NEVER)


@pytest.mark.parametrize(
    ("left", "asked", "pause"),
    [
        (20.0, None, 2.0),
        (4.0, None, 1.0),
        (0.4, None, 0.2),
        (0.01, None, 0.2),
        (20.0, 0.5, 2.0),
        (20.0, 7.0, 7.0),
        (20.0, 17.0, 17.0),
        (20.0, 60.0, 18.0),
        (3.0, 60.0, 1.5),
    ],
)
def test_a_failed_heartbeat_is_retried_in_time(left, asked, pause) -> None:
    lease = times()
    lease.retry(lease.deadline - left, asked)
    assert lease.next_heartbeat - (lease.deadline - left) == pytest.approx(pause)


def test_retries_are_not_closer_than_a_short_interval() -> None:
    lease = times(interval=0.05)
    lease.retry(100, None)
    assert lease.next_heartbeat == pytest.approx(100.2)


def test_heartbeats_near_the_deadline_have_a_minimum_pause() -> None:
    lease, now, sent = times(5), 100.0, 0
    while now < lease.deadline:
        lease.retry(now, None)
        now, sent = lease.next_heartbeat, sent + 1
    assert sent < 15


@pytest.mark.parametrize(("held", "due"), [(20, Due.HELD_TOO_LONG), (29, Due.HELD_TOO_LONG)])
def test_the_limit_that_passed_first_is_the_reason(held, due) -> None:
    lease = times(max_hold=held)
    assert lease.due(100 + held) is due
    assert lease.due(500) is due
    assert times(max_hold=29.1).due(500) is Due.EXPIRED


def test_a_schedule_returns_due_items_in_order() -> None:
    schedule: Schedule[str] = Schedule()
    assert schedule.first() is None
    assert schedule.take(NEVER) is None
    for item, when in (("b", 2.0), ("a", 1.0), ("c", 3.0)):
        schedule.plan(item, when)
    assert schedule.first() == 1.0
    assert schedule.take(0.9) is None
    assert [schedule.take(2.0), schedule.take(2.0), schedule.take(2.0)] == ["a", "b", None]
    assert len(schedule) == 1


def test_a_later_plan_replaces_an_earlier_one() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.plan("a", 1.0)
    schedule.plan("a", 5.0)
    assert schedule.first() == 5.0
    schedule.plan("b", 2.0)
    assert schedule.first() == 2.0
    schedule.forget("b")
    schedule.forget("b")
    assert schedule.first() == 5.0
    assert schedule.take(4.9) is None
    assert schedule.take(5.0) == "a"
    assert list(schedule) == []


def test_removed_items_do_not_accumulate() -> None:
    schedule: Schedule[int] = Schedule()
    schedule.plan(-1, 1e9)
    for number in range(10_000):
        schedule.plan(number, 1000.0 + number)
        schedule.forget(number)
    assert len(schedule._heap) < 200
    assert schedule.take(2e9) == -1


def test_the_order_holds_after_a_cleanup() -> None:
    schedule: Schedule[int] = Schedule()
    times = [number * 7919 % 1000 for number in range(1000)]
    for when in times:
        schedule.plan(when, float(when))
        if when % 5:
            schedule.forget(when)
    taken = [schedule.take(1e9) for _ in range(len(schedule))]
    assert taken == list(range(0, 1000, 5))
