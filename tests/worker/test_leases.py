"""The keeper of leases sends heartbeats, even when some of them fail."""

from __future__ import annotations

import logging
import threading

import httpx
import pytest

from chaojiyuyan_worker._run.runtime import Runtime
from chaojiyuyan_worker.leases import LeaseKeeper, Loss, boot_clock
from support.clocks import HandClock
from support.replies import after, data, fault, page, refusal
from support.wires import FakeWire
from support.workers import until


@pytest.fixture
def wire():
    return FakeWire(heartbeat=data(lease_expires_at=after(3)))


@pytest.fixture
def keeper_of(wire):
    made = []

    def make(**options) -> LeaseKeeper:
        made.append(LeaseKeeper(wire, **options))
        return made[-1]

    yield make
    for keeper in made:
        keeper.close()


def hold(keeper, job_id: str = "job-1", seconds: float = 2.0, **options):
    """Hold the lease of a job that was just awarded."""
    return keeper.hold(job_id, keeper.clock(), seconds, **options)


def test_heartbeats_are_sent_until_the_lease_is_released(wire, keeper_of) -> None:
    keeper = keeper_of(interval=0.05)
    lease = hold(keeper)
    wire.wait("heartbeat", 3, "job-1")
    lease.release()
    lease.release()
    hold(keeper, "job-2")
    before = wire.count("heartbeat", "job-1")
    wire.wait("heartbeat", 3, "job-2")
    assert wire.count("heartbeat", "job-1") <= before + 1  # one may have been in flight
    assert lease.lost is None


def test_a_heartbeat_moves_the_deadline(wire, keeper_of) -> None:
    wire.answers["heartbeat"] = data(lease_expires_at=after(30))
    lease = hold(keeper_of(interval=0.05))
    wire.wait("heartbeat", 2, "job-1")
    assert 20 < lease.remaining() < 29


@pytest.mark.parametrize(
    "failure",
    [
        refusal(503, "busy"),
        page(404),
        page(410),
        refusal(404, None),
        page(200),
        fault(httpx.ReadTimeout("slow")),
        lambda call: 1 / 0,
    ],
)
def test_a_failed_heartbeat_is_retried_until_the_deadline(wire, keeper_of, failure) -> None:
    wire.answers["heartbeat"] = [failure, failure, data(lease_expires_at=after(30))]
    lease = hold(keeper_of(interval=0.05), seconds=5)
    wire.wait("heartbeat", 4)
    assert lease.lost is None
    assert lease.remaining() > 20


@pytest.mark.parametrize(
    "gone", [refusal(404, "task_run_not_found"), refusal(410, "lease_expired")]
)
def test_a_gone_response_loses_the_lease_at_once(wire, keeper_of, gone) -> None:
    wire.answers["heartbeat"] = gone
    told = threading.Event()
    lease = hold(keeper_of(interval=0.05), on_lost=lambda _: told.set())
    assert told.wait(10)
    assert lease.lost is Loss.GONE
    assert lease.is_gone
    assert lease.remaining() == 0
    assert wire.count("heartbeat") == 1


def test_a_lease_past_its_deadline_is_lost_on_access(keeper_of) -> None:
    clock = HandClock()
    told = []
    lease = keeper_of(interval=3600, runtime=clock).hold("job-1", 100, 10, on_lost=told.append)
    clock.at = 109.9
    assert lease.lost is None
    clock.at = 110.0
    assert lease.lost is Loss.EXPIRED
    assert lease.lost is Loss.EXPIRED
    assert not lease.is_gone
    assert told == [lease]


def test_no_heartbeat_is_sent_past_the_deadline(wire, keeper_of) -> None:
    """After a suspended process, both the heartbeat and the deadline are due."""
    keeper = keeper_of(interval=0.05)
    lost = threading.Event()
    lease = keeper.hold("job-1", boot_clock() - 3, 2.9, on_lost=lambda _: lost.set())
    assert lost.wait(10)
    assert lease.lost is Loss.EXPIRED
    assert wire.count("heartbeat") == 0


def test_an_interval_above_the_lease_sends_none_and_warns(wire, keeper_of, caplog) -> None:
    lost = threading.Event()
    hold(keeper_of(interval=3600), seconds=0.2, on_lost=lambda _: lost.set())
    assert lost.wait(10)
    assert wire.count("heartbeat") == 0
    assert "no heartbeats are sent" in caplog.text


def test_a_lease_may_have_its_own_interval(wire, keeper_of) -> None:
    hold(keeper_of(interval=3600), interval=0.05)
    wire.wait("heartbeat", 3)


def test_an_infinite_lease_does_not_affect_others(keeper_of) -> None:
    keeper = keeper_of(interval=1e12)
    lost = threading.Event()
    hold(keeper, "job-1", 1e13)
    hold(keeper, "job-2", 0.2, on_lost=lambda _: lost.set())
    assert lost.wait(10)


def test_a_lease_is_given_up_after_max_hold(keeper_of) -> None:
    lost = threading.Event()
    lease = hold(keeper_of(interval=0.05), max_hold=0.3, on_lost=lambda _: lost.set())
    assert lost.wait(10)
    assert lease.lost is Loss.HELD_TOO_LONG


def test_the_limit_of_a_lease_can_be_set_and_removed(wire, keeper_of) -> None:
    lost = threading.Event()
    lease = hold(keeper_of(interval=0.05), on_lost=lambda _: lost.set())
    lease.limit(0.2)
    lease.limit(None)
    wire.wait("heartbeat", 8)
    assert lease.lost is None
    lease.limit(0.01)
    assert lost.wait(10)


def test_the_timeout_of_a_heartbeat_is_a_third_of_the_rest(wire, keeper_of) -> None:
    hold(keeper_of(interval=0.05), seconds=6)
    wire.wait("heartbeat", 1)
    assert 1 < wire.timeouts["heartbeat"][0] <= 2


def test_hanging_heartbeats_do_not_affect_other_leases(wire, keeper_of) -> None:
    keeper = keeper_of(interval=0.05)
    free = threading.Event()

    def answer(call):
        if "/hangs-" in call.path:
            free.wait(10)
        return data(lease_expires_at=after(30))

    wire.answers["heartbeat"] = answer
    hanging = [hold(keeper, f"hangs-{n}", 29) for n in range(40)]
    wire.wait("heartbeat", 40)
    others = [hold(keeper, f"job-{n}", 2) for n in range(32)]
    for n in range(32):
        wire.wait("heartbeat", 2, f"job-{n}")
    assert all(lease.lost is None for lease in [*hanging, *others])
    free.set()


def test_many_leases_need_few_threads(wire, keeper_of) -> None:
    keeper = keeper_of(interval=0.2)
    for n in range(300):
        hold(keeper, f"job-{n}", 20)
    wire.wait("heartbeat", 900)
    names = [thread.name for thread in threading.enumerate()]
    assert sum("heartbeat" in name for name in names) <= 32


def test_confirm_sends_a_heartbeat_at_once(wire, keeper_of) -> None:
    wire.answers["heartbeat"] = [refusal(503, "busy"), data(lease_expires_at=after(30))]
    keeper = keeper_of()
    lease = hold(keeper, seconds=5)
    waited = []
    assert keeper.confirm(lease, waited.append)
    assert wire.count("heartbeat") == 2
    assert waited[0] > 0
    assert lease.remaining() > 20
    wire.answers["heartbeat"] = refusal(404, "task_run_not_found")
    assert not keeper.confirm(lease, waited.append)
    assert lease.lost is Loss.GONE
    assert not keeper.confirm(lease, waited.append)
    assert wire.count("heartbeat") == 3


def test_confirm_ends_with_the_lease(wire, keeper_of) -> None:
    clock = HandClock()
    wire.answers["heartbeat"] = refusal(503, "busy")
    keeper = keeper_of(runtime=clock)
    lease = keeper.hold("job-1", 100, 5)

    def wait(seconds: float) -> None:
        clock.at += max(seconds, 0.001)

    assert not keeper.confirm(lease, wait)
    assert lease.lost is Loss.EXPIRED
    assert 2 < wire.count("heartbeat") < 20


def test_close_loses_the_held_leases(keeper_of) -> None:
    keeper = keeper_of()
    told = []
    lease = hold(keeper, seconds=29, on_lost=told.append)
    hold(keeper, "job-2", 29, on_lost=told.append).release()
    keeper.close()
    assert told == [lease]
    assert lease.lost is Loss.ABANDONED
    assert hold(keeper, "job-3").lost is Loss.ABANDONED


def test_close_calls_on_idle_after_the_last_heartbeat(wire, keeper_of) -> None:
    keeper = keeper_of(interval=0.05)
    free, closed = threading.Event(), threading.Event()
    wire.answers["heartbeat"] = lambda call: free.wait(10) and data(lease_expires_at=after(3))
    hold(keeper)
    wire.wait("heartbeat", 1)
    keeper.close(closed.set)
    assert not closed.is_set()
    free.set()
    assert closed.wait(10)


class Stalled(HandClock):
    """A clock that jumps while the schedule sleeps, with a busy or an idle process."""

    def __init__(self, busy: float) -> None:
        super().__init__()
        self.busy = busy
        self.sleeps = threading.Event()

    def cpu_time(self) -> float:
        self.sleeps.set()  # called before and after a sleep
        return self.busy if self.at > 100 else 0.0


@pytest.mark.parametrize(("busy", "cause"), [(0.0, "was stopped"), (60.0, "interpreter lock")])
def test_a_late_heartbeat_is_logged_with_its_likely_cause(wire, keeper_of, caplog, busy, cause):
    clock = Stalled(busy)
    keeper = keeper_of(runtime=clock)
    with caplog.at_level(logging.WARNING):
        lease = keeper.hold("job-1", 100, 29, interval=0.3)
        clock.sleeps.wait(10)
        clock.at = 120.0
        wire.wait("heartbeat", 1, "job-1")
    lease.release()
    line = next(record for record in caplog.records if "late" in record.message)
    assert cause in line.message
    assert line.job_id == "job-1"


def test_a_failing_callback_does_not_affect_other_leases(wire, keeper_of, caplog) -> None:
    keeper = keeper_of(interval=0.05)
    keeper.hold("job-1", boot_clock() - 2, 1, on_lost=lambda _: 1 / 0)
    other = hold(keeper, "job-2")
    wire.wait("heartbeat", 3, "job-2")
    assert other.lost is None
    assert "ZeroDivisionError" in caplog.text


class Exhausted(Runtime):
    """A runtime that cannot start threads until ``free`` is set."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.refused = threading.Event()
        self.names: list[str] = []

    def start(self, target, *, name):
        self.names.append(name)
        if not self.free.is_set():
            self.refused.set()
            raise RuntimeError("can't start new thread")
        return super().start(target, name=name)


def test_heartbeats_start_when_threads_are_available(wire, keeper_of) -> None:
    runtime = Exhausted()
    keeper = keeper_of(interval=0.05, runtime=runtime)
    first = hold(keeper, "job-1", 20)
    assert runtime.names == ["chaojiyuyan-leases"]
    runtime.free.set()
    hold(keeper, "job-2", 20)
    wire.wait("heartbeat", 2, "job-1")
    assert first.lost is None


def test_a_heartbeat_waits_for_an_available_thread(wire, keeper_of) -> None:
    runtime = Exhausted()
    runtime.free.set()
    keeper = keeper_of(interval=0.05, runtime=runtime)
    hold(keeper, "job-0", 20).release()  # the schedule runs, but no heartbeat was sent
    runtime.free.clear()
    runtime.refused.clear()
    lease = hold(keeper, "job-1", 20)
    assert runtime.refused.wait(10)
    until(lambda: "can't start new thread" in str(keeper.problem))
    runtime.free.set()
    wire.wait("heartbeat", 2, "job-1")
    assert keeper.problem is None
    assert lease.lost is None


class Raising(logging.Handler):
    """A broken log handler of an application."""

    def emit(self, record: logging.LogRecord) -> None:
        raise OSError("no space left on device")


def test_a_failing_log_handler_does_not_stop_heartbeats(wire, keeper_of) -> None:
    wire.answers["heartbeat"] = [refusal(503, "busy")] * 3 + [data(lease_expires_at=after(30))]
    broken, root = Raising(), logging.getLogger()
    root.addHandler(broken)
    try:
        lease = hold(keeper_of(interval=0.05), seconds=10)
        wire.wait("heartbeat", 6)
    finally:
        root.removeHandler(broken)
    assert lease.lost is None
