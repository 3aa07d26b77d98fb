"""The poll loop handles responses and faults. Other modules decide the time and the content."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from chaojiyuyan_core.errors import AuthenticationError, PermissionDeniedError, WorkerNotEnabled
from chaojiyuyan_worker._run.capacity import Capacity
from chaojiyuyan_worker._run.given_up import GivenUp
from chaojiyuyan_worker._run.offers import Offers
from chaojiyuyan_worker._run.options import RunOptions
from chaojiyuyan_worker._run.polling import Polling
from support.clocks import HandClock
from support.replies import NOW, after, answer, data, date_of, fault, page, refusal
from support.wires import FakeWire


class Enough(Exception):
    """Stops the poll loop of a test."""


class Bench:
    """A poll loop with a manual clock and a fake wire."""

    def __init__(self, *keys: str, slots: int = 1, limit: int = 1, register: bool = True) -> None:
        keys = keys or ("a",)
        self.clock = HandClock()
        self.wire = FakeWire()
        capacity = Capacity(slots, dict.fromkeys(keys, limit))
        self.offers = Offers(capacity, GivenUp(self.clock.clock), self.clock)
        options = RunOptions(auto_register=register)
        self.wait = self.offers.wait
        self.polling = Polling(self.wire, self.offers, keys, options, self.clock)

    def run(self, count: int = 10**6, *, seconds: float = 600.0) -> Exception | None:
        """Poll until a number of responses or the end of the time, and return the fatal error."""
        wait, end = self.wait, self.clock.at + seconds

        def move(not_before: float, activity: int, timeout: float) -> bool:
            if self.wire.count("available") >= count or self.clock.at >= end:
                raise Enough
            if wait(not_before, activity, 0.0):
                return True
            self.clock.at += 0.002
            return False

        self.offers.wait = move
        try:
            return self.polling.run()
        except Enough:
            return None

    def page(self, *rows: object, **fields) -> None:
        self.wire.answers["available"] = data(jobs=list(rows), **fields)


def row(job_id: str, key: str = "a", **fields) -> dict[str, object]:
    return {"job_id": job_id, "capability_key": key, "input_envelope": {}, **fields}


def asked(bench: Bench) -> list[str | None]:
    return [(call.query or {}).get("capability_key") for call in bench.wire.sent["available"]]


def test_registration_sends_batches_of_50_and_logs_unknown(caplog) -> None:
    bench = Bench(*[f"key-{n}" for n in range(120)])
    bench.wire.answers["capabilities"] = data(registered=[], skipped_unknown=["key-7"])
    bench.run(1)
    batches = [call.body["capability_keys"] for call in bench.wire.sent["capabilities"]]
    assert [len(batch) for batch in batches] == [50, 50, 20]
    assert "key-7" in caplog.text


def test_registration_continues_after_a_fault() -> None:
    bench = Bench(*[f"key-{n}" for n in range(120)])
    done = data(registered=[], skipped_unknown=[])
    busy = refusal(503, "busy")
    bench.wire.answers["capabilities"] = [done, busy, busy, done, page(502), done]
    bench.run(1)
    firsts = [call.body["capability_keys"][0] for call in bench.wire.sent["capabilities"]]
    assert firsts == ["key-0", "key-50", "key-50", "key-50", "key-100", "key-100"]


FAULTS = [
    refusal(503, "busy"),
    page(502),
    page(401),
    page(403),
    answer(401, message="Unauthorized"),
    page(200),
    data(jobs="none"),
    fault(httpx.ConnectError("refused")),
    fault(httpx.ReadTimeout("slow")),
]


@pytest.mark.parametrize("bad", FAULTS)
def test_faults_are_retried_with_backoff(bad) -> None:
    bench = Bench()
    bench.wire.answers["available"] = [bad] * 12 + [data(jobs=[])]
    assert bench.run(12) is None
    assert not bench.polling.succeeded
    assert 12 < bench.clock.at - 100 < 45


def test_after_a_successful_poll_the_worker_is_ready(caplog) -> None:
    caplog.set_level("INFO")
    bench = Bench()
    bench.wire.answers["available"] = [page(502), page(502), data(jobs=[])]
    bench.run(3)
    assert bench.polling.succeeded
    assert "polling works after 2 faults" in caplog.text


@pytest.mark.parametrize(("asked_for", "slept"), [("17", 17), ("86400", 120)])
def test_retry_after_is_followed_up_to_its_limit(asked_for, slept) -> None:
    bench = Bench()
    slow = refusal(429, "slow_down", headers={"retry-after": asked_for})
    bench.wire.answers["available"] = [slow, data(jobs=[])]
    bench.run(2)
    assert bench.clock.at - 100 == pytest.approx(slept, abs=0.1)


def test_every_request_of_the_poll_has_a_total_timeout() -> None:
    bench = Bench()
    bench.run(8)
    assert max(bench.wire.timeouts["available"]) == 30
    assert max(bench.wire.timeouts["capabilities"]) <= 40


def test_a_long_poll_is_requested() -> None:
    bench = Bench()
    bench.run(3)
    assert [call.wait for call in bench.wire.sent["available"]] == [None, 2, 4]


def test_malformed_rows_are_skipped_and_logged_once(caplog) -> None:
    bench = Bench()
    bench.page({"job_id": 7}, "row", row(".."), row("x" * 70_000), row("job-1"))
    bench.run(1)
    bench.polling.run_once()
    assert caplog.text.count("skipped a malformed offer") <= 4
    assert len(caplog.text) < 5000


def taken(bench: Bench) -> list[str]:
    """Return the offers that a slot can take after one poll."""
    bench.polling.run_once()
    found = []
    while (offer := bench.offers.take()) is not None:
        found.append(offer["job_id"])
        bench.offers.release(offer, worked=False)
    return found


@pytest.mark.parametrize("ahead", [2, 7200])
def test_an_offer_with_an_expired_window_is_bid_on(caplog, ahead) -> None:
    bench = Bench()
    offers = [row(f"job-{n}", bid_expires_at=after(1)) for n in range(3)]
    reply = data(jobs=offers)
    reply.headers = date_of(NOW + timedelta(seconds=ahead))
    bench.wire.answers["available"] = reply
    assert taken(bench) == ["job-0", "job-1", "job-2"]
    assert caplog.text.count("bid window expired") == 1


def test_an_offer_is_kept_while_its_window_is_open() -> None:
    bench = Bench()
    bench.page(row("short", bid_expires_at=after(4)), row("long", bid_expires_at=after(9)))
    bench.polling.run_once()
    bench.clock.at += 5
    assert bench.offers.take()["job_id"] == "long"


@pytest.mark.parametrize("code", ["worker_not_enabled", "capability_not_in_handler_set"])
def test_a_lost_registration_is_repeated(code) -> None:
    bench = Bench()
    bench.wire.answers["available"] = [refusal(403, code), data(jobs=[])]
    bench.run(2)
    assert bench.wire.count("capabilities") == 2


def test_without_auto_register_a_disabled_worker_ends() -> None:
    bench = Bench(register=False)
    bench.wire.answers["available"] = refusal(403, "worker_not_enabled")
    assert isinstance(bench.run(9), WorkerNotEnabled)
    assert bench.wire.count("capabilities") == 0


@pytest.mark.parametrize("endpoint", ["available", "capabilities"])
@pytest.mark.parametrize(
    ("status", "error"), [(401, AuthenticationError), (403, PermissionDeniedError)]
)
def test_the_apis_own_refusal_of_the_key_ends_the_poll(endpoint, status, error) -> None:
    bench = Bench()
    bench.wire.answers[endpoint] = refusal(status, "invalid_key")
    assert isinstance(bench.run(9), error)


@pytest.mark.parametrize("endpoint", ["available", "capabilities"])
@pytest.mark.parametrize("bad", [*FAULTS[:2], *FAULTS[-2:], page(401)])
def test_with_once_the_fault_of_the_poll_is_returned(endpoint, bad) -> None:
    bench = Bench()
    bench.wire.answers[endpoint] = bad
    assert isinstance(bench.polling.run_once(), Exception)


def test_with_once_the_poll_requests_a_page() -> None:
    bench = Bench("a", "b")
    assert bench.polling.run_once() is None
    call = bench.wire.sent["available"][0]
    assert (call.query, call.wait) == ({"limit": 10}, None)


def test_a_small_worker_requests_few_rows() -> None:
    bench = Bench()
    bench.run(2)
    assert [call.query["limit"] for call in bench.wire.sent["available"]] == [3, 3]


def test_full_pages_of_one_capability_do_not_block_others() -> None:
    keys = [f"key-{n}" for n in range(40)]
    bench = Bench(*keys, slots=50)
    backlog = [row(f"job-{n}", keys[0]) for n in range(500)]

    def rows(call):
        key = call.query.get("capability_key")
        found = [each for each in backlog if key in (None, each["capability_key"])]
        return data(jobs=found[: call.query["limit"]])

    bench.wire.answers["available"] = rows
    bench.run(1)
    assert bench.offers.take()["capability_key"] == keys[0]  # now at its limit
    bench.run(seconds=30)  # it detects that the page is crowded
    before = bench.wire.count("available")
    bench.run(seconds=1.9)
    seen = asked(bench)[before:]
    assert set(keys[1:]) <= set(seen)
    assert len(seen) <= 60


def test_a_few_blocked_rows_keep_the_general_poll() -> None:
    bench = Bench("a", "b", slots=4)
    bench.page(*[row(f"job-{n}") for n in range(4)])
    bench.run(1)
    bench.offers.take()
    bench.run(seconds=30)
    before = bench.wire.count("available")
    bench.run(seconds=10)
    assert set(asked(bench)) == {None}
    assert 9 <= bench.wire.count("available") - before <= 11
