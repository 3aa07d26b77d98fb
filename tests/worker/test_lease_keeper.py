"""The schedule, the threads and the end of a keeper of leases, with a steered clock."""

from __future__ import annotations

import logging
import threading
import weakref

import pytest

from chaojiyuyan_worker._run.supervision import Supervisor
from chaojiyuyan_worker.leases import Loss
from support.replies import refusal
from support.steered import hold, never
from support.workers import until

GONE = refusal(404, "task_run_not_found")


def planned(clock, timeout: float) -> None:
    """Wait until the keeper sleeps for this time."""
    until(lambda: clock.schedule.timeouts[-1] == pytest.approx(timeout))


def test_the_first_heartbeats_are_spread(keeper, wire, clock) -> None:
    hold(keeper)
    clock.go(104.9)
    assert wire.count("heartbeat") == 0
    clock.go(105.0)  # between half and all of the interval, by the random number
    wire.wait("heartbeat", 1)
    assert wire.timeouts["heartbeat"] == [8.0]  # a third of the rest


def test_a_lease_expires_while_its_heartbeat_is_in_flight(keeper, wire, clock) -> None:
    lost, told, idle = threading.Event(), [], threading.Event()
    wire.answers["heartbeat"] = lambda call: lost.wait(10) and GONE
    lease = hold(keeper, on_lost=lambda lease: told.append(lease.lost) or lost.set())
    clock.go(105.0)
    wire.wait("heartbeat", 1)
    clock.go(128.9)
    assert told == []
    clock.go(129.0)
    keeper.close(idle.set)
    assert idle.wait(10)
    assert told == [Loss.EXPIRED]
    assert lease.lost is Loss.EXPIRED


def test_no_heartbeat_is_sent_for_a_lease_that_ended_before(keeper, wire, clock) -> None:
    clock.free.clear()
    released, expired = hold(keeper, "job-1"), hold(keeper, "job-2", 5.0, interval=5.0)
    clock.go(104.9)
    clock.go(105.0)
    released.release()
    assert expired.lost is Loss.EXPIRED
    idle = threading.Event()
    keeper.close(idle.set)
    assert not idle.is_set()
    clock.free.set()
    assert idle.wait(10)
    assert wire.count("heartbeat") == 0


def test_the_schedule_is_checked_each_second(keeper, clock) -> None:
    hold(keeper)
    assert clock.schedule.timeouts == [1.0]


def test_only_a_lease_that_is_due_soon_wakes_the_schedule(keeper, clock) -> None:
    hold(keeper)
    before = clock.schedule.notified
    hold(keeper, "job-2")
    assert clock.schedule.notified == before
    hold(keeper, "job-3", 1.0)
    planned(clock, 0.25)


def test_a_released_lease_leaves_the_schedule(keeper, clock) -> None:
    lease = hold(keeper, seconds=1.0)
    lease.release()
    lease.limit(0.2)
    clock.go(100.1)
    assert clock.schedule.timeouts[-1] == 1.0


def test_a_lease_released_at_its_heartbeat_leaves_the_schedule(keeper, clock) -> None:
    lease = hold(keeper, seconds=4.0)
    clock.on_cpu_time = lease.release
    clock.go(102.5)
    clock.go(103.5)
    assert clock.schedule.timeouts[-1] == 1.0


def test_a_lost_lease_leaves_the_schedule(keeper, wire, clock) -> None:
    wire.answers["heartbeat"] = GONE
    lease = hold(keeper, seconds=1.0)
    assert keeper.confirm(lease, never) is False
    lease.limit(0.5)
    clock.go(100.1)
    assert clock.schedule.timeouts[-1] == 1.0


def test_a_released_lease_is_never_lost(keeper, clock) -> None:
    told = []
    lease = hold(keeper, on_lost=told.append)
    lease.release()
    clock.go(200.0)
    assert lease.lost is None
    keeper.close()
    assert lease.lost is None
    assert told == []


def test_a_failing_callback_does_not_fail_a_question(keeper, clock, caplog) -> None:
    lease = hold(keeper, on_lost=lambda _: 1 / 0)
    clock.at = 129.0
    assert lease.lost is Loss.EXPIRED
    [line] = caplog.records
    assert line.message == "on_lost failed for a lost lease"
    assert line.job_id == "job-1"


def test_a_released_lease_does_not_keep_its_callback(keeper) -> None:
    def on_lost(lease) -> None: ...

    reference = weakref.ref(on_lost)
    lease = hold(keeper, on_lost=on_lost)
    del on_lost
    assert reference() is not None
    lease.release()
    assert reference() is None


def test_a_limit_wakes_the_schedule(keeper, clock) -> None:
    told = []
    lease = hold(keeper, on_lost=told.append)
    lease.limit(0.5)
    planned(clock, 0.5)
    clock.go(100.5)
    assert told == [lease]
    assert lease.lost is Loss.HELD_TOO_LONG


def test_a_removed_limit_does_not_end_a_lease(keeper, clock) -> None:
    lease = hold(keeper)
    lease.limit(0.5)
    lease.limit(None)
    clock.go(100.6)
    assert lease.lost is None


def test_blocked_heartbeats_get_more_threads(keeper, clock) -> None:
    for number in range(9):
        hold(keeper, f"job-{number}")
    hold(keeper, "job-9", interval=10.2)  # its heartbeat is due at 105.1
    clock.free.clear()
    clock.go(105.0)
    assert clock.heartbeat_threads == 8
    assert clock.schedule.timeouts[-1] == pytest.approx(0.1)
    clock.go(105.1)
    assert clock.schedule.timeouts[-1] == 0.25
    clock.go(105.25)
    assert clock.heartbeat_threads > 8


def test_a_heartbeat_that_cannot_be_queued_is_tried_again(keeper, wire, clock, caplog) -> None:
    lease = hold(keeper)
    clock.pool.fails = True
    with clock.schedule:
        clock.at = 105.0
        clock.schedule.notify()
    until(lambda: clock.schedule.seen == 106.0)  # 1 s after the error
    assert "MemoryError" in caplog.text
    clock.go(107.0)
    wire.wait("heartbeat", 1)
    assert lease.lost is None
    idle = threading.Event()
    keeper.close(idle.set)
    assert idle.wait(10)


def test_a_close_just_before_a_heartbeat_sends_none(keeper, wire, clock) -> None:
    told = []
    hold(keeper)
    clock.on_cpu_time = lambda: keeper.close(lambda: told.append("idle"))
    with clock.schedule:
        clock.at = 107.0
        clock.schedule.notify()
    for thread in clock.threads:
        thread.join(10)
    assert told == ["idle"]
    assert wire.count("heartbeat") == 0


def test_a_closed_keeper_starts_no_thread(keeper, clock) -> None:
    keeper.close()
    assert keeper.hold("job-1", 100.0, 29.0).lost is Loss.ABANDONED
    assert clock.threads == []


def test_close_ends_the_threads(keeper, wire, clock) -> None:
    hold(keeper)
    clock.go(105.0)
    wire.wait("heartbeat", 1)
    keeper.close()
    for thread in clock.threads:
        thread.join(10)
    assert [thread.name for thread in clock.threads if thread.is_alive()] == []


def test_close_calls_on_idle_after_all_heartbeats(keeper, wire, clock) -> None:
    free = {f"/kernel-jobs/job-{n}/heartbeat": threading.Event() for n in (1, 2)}
    wire.answers["heartbeat"] = lambda call: free[call.path].wait(10) and GONE
    hold(keeper, "job-1")
    hold(keeper, "job-2")
    clock.go(105.0)
    wire.wait("heartbeat", 2)
    told = []
    keeper.close(lambda: told.append("idle"))
    first, second = free.values()
    first.set()
    senders = [thread for thread in clock.threads if "heartbeat" in thread.name]
    until(lambda: not all(thread.is_alive() for thread in senders))
    assert told == []
    second.set()
    until(lambda: told == ["idle"])


def test_close_of_an_idle_keeper_calls_on_idle_at_once(keeper) -> None:
    hold(keeper)
    told = []
    keeper.close(lambda: told.append("idle"))
    assert told == ["idle"]


def test_a_passed_supervisor_keeps_the_schedule(keeper_of, clock) -> None:
    supervisor = Supervisor(clock)
    keeper_of(supervisor=supervisor)
    assert supervisor.check()
    assert [thread.name for thread in clock.threads] == ["chaojiyuyan-leases"]


def test_only_the_first_lease_without_heartbeats_warns(keeper, caplog) -> None:
    hold(keeper)
    assert caplog.messages == []
    hold(keeper, "job-2", interval=60)
    hold(keeper, "job-3", interval=60)
    [message] = caplog.messages
    assert message.startswith("no heartbeats are sent: the lease of 29.0 s is shorter")


@pytest.mark.parametrize(("busy", "cause"), [(0.0, "was stopped"), (60.0, "interpreter lock")])
def test_only_cpu_time_of_the_sleep_explains_its_lateness(keeper, wire, clock, caplog, busy, cause):
    clock.cpu = 1000.0
    with caplog.at_level(logging.WARNING):
        hold(keeper)
        clock.cpu += busy
        clock.go(112.0)
    wire.wait("heartbeat", 1)
    assert cause in caplog.text
