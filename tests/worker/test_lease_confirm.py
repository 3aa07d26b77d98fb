"""A heartbeat on the calling thread: what it does to its lease, and when it is retried."""

from __future__ import annotations

import logging
import threading

import pytest

from chaojiyuyan_worker.leases import Loss
from support.replies import after, data, refusal
from support.steered import hold, never

GONE = refusal(404, "task_run_not_found")


@pytest.mark.parametrize("reply", [GONE, data(lease_expires_at=after(30))])
def test_a_lease_may_be_released_during_its_heartbeat(keeper, wire, reply) -> None:
    told = []
    lease = hold(keeper, on_lost=told.append)
    wire.answers["heartbeat"] = lambda call: lease.release() or reply
    assert keeper.confirm(lease, never) is False
    assert lease.lost is None
    assert told == []


def test_a_lease_lost_during_its_heartbeat_stays_lost(keeper, wire, clock) -> None:
    lease = hold(keeper, interval=60)

    def answer(call):
        clock.at = 129.0
        assert lease.lost is Loss.EXPIRED
        return data(lease_expires_at=after(30))

    clock.at = 128.0
    wire.answers["heartbeat"] = answer
    assert keeper.confirm(lease, never) is False
    assert lease.remaining() == 0


def test_confirm_waits_only_while_the_lease_is_held(keeper, wire, caplog) -> None:
    wire.answers["heartbeat"] = [refusal(503, "busy"), GONE]
    lease, waited = hold(keeper), []
    assert keeper.confirm(lease, waited.append) is False
    assert waited == [2.0]
    [line] = caplog.records
    assert line.message.startswith("heartbeat failed, lease ends in 29.0 s: API error 503")
    assert line.job_id == "job-1"


@pytest.mark.parametrize(
    ("failure", "seconds", "reason"),
    [
        (refusal(503, "busy", headers={"retry-after": "7"}), 7.0, "API error 503"),
        (lambda call: 1 / 0, 2.0, "ZeroDivisionError"),
    ],
)
def test_confirm_waits_for_the_retry(keeper, wire, caplog, failure, seconds, reason) -> None:
    wire.answers["heartbeat"] = [failure, GONE]
    waited = []
    keeper.confirm(hold(keeper), waited.append)
    assert waited == [seconds]
    assert reason in caplog.text


def test_confirm_does_not_wait_for_a_time_that_has_passed(keeper, wire, clock) -> None:
    class Slow(logging.Handler):
        """A log handler that takes longer than the pause."""

        def emit(self, record) -> None:
            clock.at = 103.0

    slow, logger = Slow(), logging.getLogger("chaojiyuyan_worker")
    wire.answers["heartbeat"] = [refusal(503, "busy"), GONE]
    waited = []
    logger.addHandler(slow)
    try:
        keeper.confirm(hold(keeper), waited.append)
    finally:
        logger.removeHandler(slow)
    assert waited == [0.0]


def test_confirm_sends_nothing_when_the_lease_has_just_expired(keeper, wire, clock) -> None:
    lease = hold(keeper, interval=60)
    clock.at, clock.later = 128.9, 129.0
    assert keeper.confirm(lease, never) is False
    assert lease.lost is Loss.EXPIRED
    assert wire.count("heartbeat") == 0


def test_without_a_date_the_local_time_measures_the_lease(keeper, wire) -> None:
    undated = data(lease_expires_at=after(12))
    undated.headers = {}
    wire.answers["heartbeat"] = undated
    lease = hold(keeper)
    assert keeper.confirm(lease, never) is True
    assert lease.remaining() == 11.0


def test_confirm_of_a_released_lease_sends_nothing(keeper, wire) -> None:
    lease = hold(keeper)
    lease.release()
    assert keeper.confirm(lease, never) is False
    assert wire.count("heartbeat") == 0


def test_no_heartbeat_joins_that_of_confirm(keeper, wire, clock) -> None:
    wire.answers["heartbeat"] = lambda call: clock.go(106.0) or data(lease_expires_at=after(30))
    assert keeper.confirm(hold(keeper), never) is True
    idle = threading.Event()
    keeper.close(idle.set)
    assert idle.wait(10)
    assert wire.count("heartbeat") == 1


def test_the_duration_of_a_heartbeat_is_reported(keeper_of, wire, clock) -> None:
    def answer(call):
        clock.at += 0.5
        return data(lease_expires_at=after(30))

    wire.answers["heartbeat"] = answer
    seconds = []
    keeper = keeper_of(on_heartbeat=seconds.append)
    assert keeper.confirm(hold(keeper), never) is True
    assert seconds == [0.5]
