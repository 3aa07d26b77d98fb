"""The keeper of leases, by a clock that is handed in where time decides."""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import httpx
import pytest

from chaojiyuyan_core.requests import Requests
from chaojiyuyan_core.transport import Transport
from chaojiyuyan_worker.leases import LeaseKeeper, Loss, boot_clock, is_gone, lease_deadline
from support.clocks import HandClock


def lease_answer(seconds: float = 30, status: int = 200, **json) -> httpx.Response:
    now = datetime(2026, 1, 1, tzinfo=timezone.utc)
    until = (now + timedelta(seconds=seconds)).isoformat()
    headers = {"date": format_datetime(now, usegmt=True)}
    return httpx.Response(
        status, json=json or {"data": {"lease_expires_at": until}}, headers=headers
    )


class Platform:
    """Answers heartbeats, and counts them by job."""

    def __init__(self) -> None:
        self.beats: dict[str, int] = {}
        self.answer = lambda job_id: lease_answer(2)
        self.beaten = threading.Condition()
        self.timeouts: list[dict[str, float]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.timeouts.append(request.extensions["timeout"])
        job_id = request.url.path.split("/")[-2]
        with self.beaten:
            self.beats[job_id] = self.beats.get(job_id, 0) + 1
            self.beaten.notify_all()
        return self.answer(job_id)

    def wait(self, job_id: str, count: int) -> None:
        with self.beaten:
            assert self.beaten.wait_for(lambda: self.beats.get(job_id, 0) >= count, 10)


@pytest.fixture
def platform():
    return Platform()


@pytest.fixture
def keeper_of(platform):
    made = []

    def make(**options) -> LeaseKeeper:
        client = httpx.Client(transport=httpx.MockTransport(platform))
        requests = Requests("nxt_ag_test_test", "http://localhost/api", timeout=30)
        keeper = LeaseKeeper(Transport(requests, http_client=client), **options)
        made.append((keeper, client))
        return keeper

    yield make
    for keeper, client in made:
        keeper.close(client.close)


def test_the_deadline_is_reckoned_from_the_servers_own_times() -> None:
    answer = lease_answer(30)
    expires_at = answer.json()["data"]["lease_expires_at"]
    assert lease_deadline(expires_at, answer, 100.0) == 129.0


@pytest.mark.parametrize("expires_at", [None, "soon", 7])
def test_a_lease_of_unknown_length_is_taken_for_30_seconds(expires_at) -> None:
    assert lease_deadline(expires_at, lease_answer(), 100.0) == 129.0
    assert lease_deadline("2026-01-01T00:05:00Z", httpx.Response(200), 100.0) == 129.0


def test_a_date_that_a_proxy_got_wrong_does_not_end_the_lease_at_once() -> None:
    assert lease_deadline("2025-12-31T23:59:00Z", lease_answer(), 100.0) == 129.0


@pytest.mark.parametrize(
    ("answer", "gone"),
    [
        (lease_answer(status=404, detail={"code": "task_run_not_found"}), True),
        (lease_answer(status=410, detail={"code": "lease_expired"}), True),
        (httpx.Response(404, html="<h1>default backend</h1>"), False),
        (httpx.Response(503), False),
        (lease_answer(), False),
    ],
)
def test_gone_is_what_the_platform_says_and_no_proxy(answer, gone) -> None:
    assert is_gone(answer) is gone


def test_a_held_lease_is_beaten_for_until_it_is_released(platform, keeper_of) -> None:
    keeper = keeper_of(interval=0.05)
    lease = keeper.hold("job-1", boot_clock() + 2)
    platform.wait("job-1", 3)
    lease.release()
    keeper.hold("job-2", boot_clock() + 2)
    before = platform.beats["job-1"]
    platform.wait("job-2", 3)
    assert platform.beats["job-1"] <= before + 1  # one may have been under way
    assert lease.lost is None


def test_a_beat_moves_the_deadline(platform, keeper_of) -> None:
    keeper = keeper_of(interval=0.05)
    platform.answer = lambda job_id: lease_answer(60)
    lease = keeper.hold("job-1", boot_clock() + 2)
    platform.wait("job-1", 2)
    assert 50 < lease.remaining() < 60


@pytest.mark.parametrize("status", [404, 410])
def test_a_refused_beat_loses_the_lease_for_good(platform, keeper_of, status) -> None:
    keeper = keeper_of(interval=0.05)
    platform.answer = lambda job_id: lease_answer(status=status, detail={"code": "x"})
    lost = threading.Event()
    lease = keeper.hold("job-1", boot_clock() + 2, on_lost=lambda lease: lost.set())
    assert lost.wait(10)
    assert lease.lost is Loss.GONE
    platform.answer = lambda job_id: lease_answer(60)
    other = keeper.hold("job-2", boot_clock() + 2)
    platform.wait("job-2", 3)
    assert other.lost is None
    assert platform.beats["job-1"] == 1


@pytest.mark.parametrize("fault", ["503", "html", "junk", "unreachable", "bug"])
def test_a_failed_beat_is_unknown_until_the_deadline(platform, keeper_of, fault) -> None:
    keeper = keeper_of(interval=0.05)

    def answer(job_id: str) -> httpx.Response:
        if platform.beats[job_id] > 2:
            return lease_answer(60)
        if fault == "unreachable":
            raise httpx.ConnectError("no route")
        if fault == "bug":
            raise ZeroDivisionError
        return {
            "503": httpx.Response(503),
            "html": httpx.Response(404, html="<h1>no backend</h1>"),
            "junk": httpx.Response(200, content=b"{"),
        }[fault]

    platform.answer = answer
    lease = keeper.hold("job-1", boot_clock() + 2)
    platform.wait("job-1", 4)
    assert lease.lost is None
    assert lease.remaining() > 50


def test_the_deadline_passed_means_lost_before_anyone_looks(keeper_of) -> None:
    clock = HandClock()
    keeper = keeper_of(interval=3600, runtime=clock)
    told = []
    lease = keeper.hold("job-1", 110.0, on_lost=told.append)
    clock.at = 109.9
    assert lease.lost is None
    clock.at = 110.0
    assert lease.lost is Loss.EXPIRED
    assert told == [lease]
    assert lease.lost is Loss.EXPIRED
    assert told == [lease]


def test_no_beat_is_sent_past_the_deadline(platform, keeper_of) -> None:
    """As after a thaw: the beat was due, and so is the end."""
    keeper = keeper_of(interval=0.05)
    lost = threading.Event()
    lease = keeper.hold("job-1", boot_clock() - 0.1, on_lost=lambda lease: lost.set())
    assert lost.wait(10)
    assert lease.lost is Loss.EXPIRED
    assert platform.beats == {}


def test_an_interval_above_the_lease_sends_none_and_says_so(platform, keeper_of, caplog) -> None:
    keeper = keeper_of(interval=3600)
    lost = threading.Event()
    keeper.hold("job-1", boot_clock() + 0.2, on_lost=lambda lease: lost.set())
    assert lost.wait(10)
    assert platform.beats == {}
    assert "less than the heartbeat interval" in caplog.text


def test_a_lease_without_end_costs_no_other_lease(keeper_of) -> None:
    keeper = keeper_of(interval=1e12)
    lost = threading.Event()
    keeper.hold("job-1", boot_clock() + 1e13)
    keeper.hold("job-2", boot_clock() + 0.2, on_lost=lambda _: lost.set())
    assert lost.wait(10)


def test_a_lease_is_let_go_after_the_longest_hold(platform, keeper_of) -> None:
    keeper = keeper_of(interval=0.05)
    lost = threading.Event()
    lease = keeper.hold("job-1", boot_clock() + 2, max_hold=0.3, on_lost=lambda lease: lost.set())
    assert lost.wait(10)
    assert lease.lost is Loss.HELD_TOO_LONG


def test_a_hold_that_ended_before_its_lease_did_is_the_reason_however_late_it_is_seen(
    keeper_of,
) -> None:
    clock = HandClock()
    keeper = keeper_of(interval=50.0, runtime=clock)
    lost = threading.Event()
    lease = keeper.hold("job-1", 110.0, on_lost=lambda _: lost.set())
    with keeper._changed:  # so that the schedule sees both at once
        lease.held_until = 105.0
        keeper._plan(lease)
        clock.at = 120.0
    assert lost.wait(10)
    assert lease.lost is Loss.HELD_TOO_LONG


def test_the_limit_of_a_hold_can_be_set_and_taken_away(platform, keeper_of) -> None:
    keeper = keeper_of(interval=0.05)
    lost = threading.Event()
    lease = keeper.hold("job-1", boot_clock() + 2, on_lost=lambda lease: lost.set())
    lease.limit(0.2)
    lease.limit(None)
    platform.wait("job-1", 8)
    assert lease.lost is None
    lease.limit(0.01)
    assert lost.wait(10)


def test_a_hanging_beat_costs_no_other_lease(platform, keeper_of) -> None:
    keeper = keeper_of(interval=0.05)
    hanging, free = threading.Event(), threading.Event()

    def answer(job_id: str) -> httpx.Response:
        if job_id == "job-0":
            hanging.set()
            free.wait(10)
        return lease_answer(2)

    platform.answer = answer
    leases = [keeper.hold(f"job-{n}", boot_clock() + 2) for n in range(32)]
    assert hanging.wait(10)
    for n in range(1, 32):
        platform.wait(f"job-{n}", 3)
    assert all(lease.lost is None for lease in leases[1:])
    free.set()


def test_no_beat_is_sent_for_a_lease_that_was_lost_on_the_way(platform, keeper_of) -> None:
    keeper = keeper_of()
    lease = keeper.hold("job-1", boot_clock() + 30)
    keeper.lose(lease, Loss.HELD_TOO_LONG)
    keeper._send_beat(lease)
    assert platform.beats == {}


def test_a_beat_has_a_third_of_what_is_left(keeper_of, platform) -> None:
    keeper = keeper_of(interval=0.05)
    keeper.hold("job-1", boot_clock() + 6)
    platform.wait("job-1", 1)
    assert all(1 < seconds <= 2 for seconds in platform.timeouts[0].values())


def test_closing_loses_what_is_held(keeper_of) -> None:
    keeper = keeper_of()
    told = []
    lease = keeper.hold("job-1", boot_clock() + 30, on_lost=told.append)
    released = keeper.hold("job-2", boot_clock() + 30, on_lost=told.append)
    released.release()
    keeper.close()
    assert told == [lease]
    assert lease.lost is Loss.ABANDONED
    assert keeper.hold("job-3", boot_clock() + 30).lost is Loss.ABANDONED


def test_closing_waits_for_no_beat_but_tells_when_the_last_has_ended(platform, keeper_of) -> None:
    keeper = keeper_of(interval=0.05)
    free, closed = threading.Event(), threading.Event()

    def answer(job_id: str) -> httpx.Response:
        free.wait(10)
        return lease_answer(2)

    platform.answer = answer
    keeper.hold("job-1", boot_clock() + 2)
    platform.wait("job-1", 1)
    keeper.close(closed.set)
    assert not closed.is_set()
    free.set()
    assert closed.wait(10)


@pytest.mark.parametrize(("busy", "cause"), [(0.0, "was stopped"), (60.0, "interpreter lock")])
def test_a_late_beat_is_told_with_its_likely_cause(keeper_of, caplog, busy, cause) -> None:
    keeper = keeper_of(runtime=HandClock(130.0))
    lease = keeper.hold("job-1", 1000.0)
    lease.wake = 100.0
    with caplog.at_level(logging.WARNING):
        keeper._explain(lease, 90.0, time.process_time() - busy)
    assert "heartbeat 30.0 s late" in caplog.text
    assert cause in caplog.text
    assert caplog.records[-1].job_id == "job-1"


def test_released_leases_do_not_pile_up(keeper_of) -> None:
    keeper = keeper_of()
    held = keeper.hold("job-0", boot_clock() + 30)
    for number in range(1, 1000):
        keeper.hold(f"job-{number}", boot_clock() + 30).release()
    assert len(keeper._schedule) < 200
    assert any(lease is held for _, _, lease in keeper._schedule)


def test_a_callback_that_fails_costs_no_other_lease(platform, keeper_of, caplog) -> None:
    keeper = keeper_of(interval=0.05)
    keeper.hold("job-1", boot_clock() - 1, on_lost=lambda lease: 1 / 0)
    other = keeper.hold("job-2", boot_clock() + 2)
    platform.wait("job-2", 3)
    assert other.lost is None
    assert "ZeroDivisionError" in caplog.text
