"""Many waits of one client in virtual time, on a platform without long-polling."""

from __future__ import annotations

import heapq
import itertools
import json
import os
from typing import TYPE_CHECKING, Any

from chaojiyuyan_client._polling import SharedPolling
from chaojiyuyan_client.waiting import wait_for_job
from chaojiyuyan_core.errors import JobTimeout
from chaojiyuyan_core.http import Notify, Reply, Retry, Send

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from chaojiyuyan_core.api import Call

LATENCY = 0.02


class Platform:
    """A platform whose jobs end at given times, with a log of requests and optional faults."""

    def __init__(self, count: int) -> None:
        self.now = 0.0
        self.ends = dict.fromkeys((f"j{number}" for number in range(count)), float("inf"))
        self.listed = list(self.ends)
        self.requests: list[tuple[float, str]] = []
        self.is_list_down = False
        self.is_down = False
        self.page_size = 50

    def row(self, job_id: str) -> dict[str, str]:
        has_ended = self.now >= self.ends[job_id]
        return {"id": job_id, "status": "succeeded" if has_ended else "running"}

    def answer(self, call: Call[object]) -> Reply:
        kind = "list" if call.query else "single"
        self.requests.append((self.now, kind))
        if self.is_down or (self.is_list_down and kind == "list"):
            return Reply(503)
        if not call.query:
            return self._reply(self.row(call.path.rpartition("/")[2]))
        offset, limit = int(call.query["offset"]), min(int(call.query["limit"]), self.page_size)
        return self._reply([self.row(job_id) for job_id in self.listed[offset : offset + limit]])

    @staticmethod
    def _reply(data: object) -> Reply:
        return Reply(200, body=json.dumps({"data": data}).encode())

    def rate(self, since: float, until: float) -> float:
        """Return the requests per second."""
        return sum(since <= time < until for time, _ in self.requests) / (until - since)


class Waits:
    """Runs many concurrent waits, and records when each returned."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.polling = SharedPolling(lambda: platform.now)
        self.returned: dict[str, float] = {}
        self.timed_out: dict[str, float] = {}
        self.statuses: dict[str, list[str]] = {}
        self._due: list[tuple[float, int, str, Any, Any]] = []
        self._order = itertools.count()

    def start(self, job_id: str, timeout: float = 1000.0) -> None:
        told = self.statuses.setdefault(job_id, [])
        flow = wait_for_job(
            job_id,
            timeout=timeout,
            poll_interval=3.0,
            retry=Retry(),
            now=lambda: self.platform.now,
            on_update=lambda job: told.append(job["status"]),
            polling=self.polling,
        )
        self._push(0.0, job_id, flow, None)

    def _push(self, seconds: float, job_id: str, flow: Any, call: Any) -> None:
        entry = (self.platform.now + seconds, next(self._order), job_id, flow, call)
        heapq.heappush(self._due, entry)

    def run(self, until: float, act: Callable[[], object] = lambda: None) -> None:
        while self._due and self._due[0][0] <= until:
            self.platform.now, _, job_id, flow, call = heapq.heappop(self._due)
            act()
            reply = None if call is None else self.platform.answer(call)
            self._resume(job_id, flow, reply)
        self.platform.now = until

    def _resume(self, job_id: str, flow: Any, reply: Reply | None) -> None:
        try:
            step = flow.send(reply)
            while isinstance(step, Notify):
                step.listener(step.news)
                step = flow.send(None)
        except StopIteration:
            self.returned[job_id] = self.platform.now
        except JobTimeout:
            self.timed_out[job_id] = self.platform.now
        else:
            if isinstance(step, Send):
                self._push(LATENCY, job_id, flow, step.call)
            else:
                self._push(step.seconds, job_id, flow, None)


def start(count: int, **options: Any) -> tuple[Platform, Waits]:
    platform = Platform(count)
    for name, value in options.items():
        setattr(platform, name, value)
    waits = Waits(platform)
    for job_id in platform.ends:
        waits.start(job_id)
    return platform, waits


def test_a_thousand_waits_poll_together() -> None:
    platform, waits = start(1000)
    for number, job_id in enumerate(platform.ends):
        if number % 20 == 0:
            platform.ends[job_id] = 20 + number / 50
    waits.run(until=60)
    assert platform.rate(10, 20) <= 10
    assert platform.rate(50, 60) <= 10
    late = [waits.returned[job_id] - end for job_id, end in platform.ends.items() if end < 50]
    assert len(late) == 50
    assert max(late) <= 5


def test_a_few_waits_notice_soon_with_few_requests() -> None:
    platform, waits = start(5)
    platform.ends["j3"] = 0.4
    waits.run(until=60)
    assert waits.returned["j3"] <= 1.0
    assert platform.rate(30, 60) <= 1


def test_when_the_list_fails_single_reads_keep_the_rate() -> None:
    platform, waits = start(40, is_list_down=True)
    platform.ends["j7"] = 20.0
    waits.run(until=60)
    assert platform.rate(10, 60) <= 10
    assert waits.returned["j7"] <= 32
    assert {kind for time, kind in platform.requests if time > 10} == {"list", "single"}


def test_a_platform_that_is_down_gets_few_requests() -> None:
    platform, waits = start(200)
    waits.run(until=5)
    platform.is_down = True
    waits.run(until=40)
    assert platform.rate(10, 40) <= 10
    platform.is_down = False
    platform.ends = dict.fromkeys(platform.ends, 40.0)
    waits.run(until=100)
    assert len(waits.returned) == 200


def test_a_job_missing_from_the_list_is_read_singly() -> None:
    platform, waits = start(60)
    platform.listed = [job_id for job_id in platform.listed if job_id not in ("j5", "j50")]
    platform.ends["j5"] = platform.ends["j50"] = 20.0
    waits.run(until=40)
    assert max(waits.returned["j5"], waits.returned["j50"]) <= 25
    assert platform.rate(10, 40) <= 10


def test_small_pages_and_newer_jobs_do_no_harm() -> None:
    platform, waits = start(30, page_size=20)
    others = [f"other{number}" for number in range(25)]
    platform.ends.update(dict.fromkeys(others, 0.0))
    platform.listed = others + platform.listed
    platform.ends["j29"] = 20.0
    waits.run(until=40)
    assert waits.returned["j29"] <= 25


def test_every_change_of_status_is_reported_once() -> None:
    platform, waits = start(10)
    platform.ends["j1"] = 12.0
    waits.run(until=30)
    assert waits.statuses["j1"] == ["running", "succeeded"]
    assert waits.statuses["j2"] == ["running"]


def test_each_wait_keeps_its_own_deadline() -> None:
    platform = Platform(120)
    waits = Waits(platform)
    for number, job_id in enumerate(platform.ends):
        waits.start(job_id, timeout=5 + number / 10)
    waits.run(until=60)
    late = [
        waits.timed_out[job_id] - (5 + number / 10) for number, job_id in enumerate(platform.ends)
    ]
    assert min(late) >= 0
    assert max(late) <= 0.5


def test_after_a_cancelled_read_another_wait_reads_the_list() -> None:
    platform, waits = start(3)
    waits.run(until=2.0)
    readers = [entry for entry in waits._due if entry[4] is not None]
    for entry in readers:
        entry[3].close()
        waits._due.remove(entry)
    heapq.heapify(waits._due)
    left = [entry[2] for entry in waits._due]
    platform.ends = dict.fromkeys(platform.ends, 3.0)
    waits.run(until=20)
    assert set(left) <= set(waits.returned)


def test_with_long_polling_each_job_is_read_singly() -> None:
    polling = SharedPolling(lambda: 0.0)
    polling.join("a")
    polling.join("b")
    assert polling.is_shared
    polling.platform_holds = True
    assert not polling.is_shared


def test_a_forked_process_starts_without_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    polling = SharedPolling(lambda: 0.0)
    polling.join("a")
    polling.join("b")
    monkeypatch.setattr(os, "getpid", lambda: -1)
    polling.join("c")
    assert not polling.is_shared
