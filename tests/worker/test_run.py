"""A whole run on real threads, with a fake wire instead of a network."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from chaojiyuyan_core.errors import AuthenticationError, NonRetryableError, ServerError, WorkerError
from chaojiyuyan_worker._run.handlers import Handler
from chaojiyuyan_worker._run.options import RunOptions
from chaojiyuyan_worker._run.run import Run
from chaojiyuyan_worker._run.runtime import Runtime
from support.replies import after, data, fault, refusal
from support.wires import FakeWire
from support.workers import until


class Market(FakeWire):
    """Offers each job until it is settled, including given-up jobs."""

    def __init__(self, *jobs: tuple[str, str], **answers) -> None:
        super().__init__(available=self._page, submit=self._settle, **answers)
        self.open = dict(jobs)

    def _page(self, call):
        key, limit = call.query.get("capability_key"), call.query["limit"]
        rows = [
            {"job_id": job, "capability_key": each, "input_envelope": {}}
            for job, each in list(self.open.items())
            if key in (None, each)
        ]
        return data(jobs=rows[:limit])

    def _settle(self, call):
        self.open.pop(call.path.split("/")[-2], None)
        return data(settled=True)


class Site:
    """A run on a separate thread."""

    def __init__(self, wire, handlers, *, runtime=None, **options) -> None:
        self.wire = wire
        made = [
            Handler(key, *each) if isinstance(each, tuple) else Handler(key, each)
            for key, each in handlers.items()
        ]
        options = RunOptions(**{"poll_interval": 0.05, **options})
        table = {handler.capability_key: handler for handler in made}
        self.run = Run(runtime or Runtime(), lambda connections: wire, options, table)
        self.raised: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        try:
            self.run.run(once=False)
        except BaseException as error:
            self.raised = error

    def start(self):
        self._thread.start()
        return self

    def ended(self, within: float = 10.0) -> float:
        """Wait until the run has ended, and return its duration in seconds."""
        begun = time.monotonic()
        self._thread.join(within)
        assert not self._thread.is_alive()
        return time.monotonic() - begun


@contextmanager
def running(wire, handlers, **options):
    site = Site(wire, handlers, **options).start()
    try:
        yield site
    finally:
        site.run.stop()
        site.ended()
    if site.raised is not None:
        raise site.raised


def test_jobs_are_settled() -> None:
    wire = Market(*[(f"job-{n}", "a") for n in range(30)])
    with running(wire, {"a": lambda task: {}}, concurrency=4):
        until(lambda: not wire.open)
    assert wire.count("submit") == 30


def hang(task):
    """A handler that ignores its cancellation for longer than a test."""
    threading.Event().wait(20)
    return {}


def leave(task):
    raise SystemExit(3)


def test_an_exiting_handler_drains_in_time() -> None:
    wire = Market(("job-1", "hangs"), ("job-2", "leaves"))
    handlers = {"hangs": hang, "leaves": leave}
    site = Site(wire, handlers, concurrency=2, graceful_shutdown_timeout=0.5).start()
    assert site.ended() < 5
    assert isinstance(site.raised, SystemExit)


def test_a_rejected_key_drains_in_time() -> None:
    wire = Market(("job-1", "hangs"))
    site = Site(wire, {"hangs": hang}, concurrency=2, graceful_shutdown_timeout=0.5).start()
    wire.wait("bid", 1)
    wire.answers["available"] = refusal(401, "invalid_key")
    assert site.ended() < 5
    assert isinstance(site.raised, AuthenticationError)


def test_a_rejected_key_lets_running_jobs_finish() -> None:
    finish = threading.Event()
    wire = Market(("job-1", "a"))
    site = Site(wire, {"a": lambda task: {"ok": finish.wait(10)}}, concurrency=2).start()
    wire.wait("bid", 1)
    wire.answers["available"] = refusal(403, "agent_suspended")
    until(lambda: site.run.health().draining)
    assert site.run.health().live
    finish.set()
    site.ended()
    assert wire.count("submit") == 1


def test_jobs_past_the_shutdown_timeout_are_named() -> None:
    wire = Market(("job-1", "hangs"))
    site = Site(wire, {"hangs": hang}, concurrency=2, graceful_shutdown_timeout=0.2).start()
    wire.wait("bid", 1)
    site.run.stop()
    site.ended()
    assert isinstance(site.raised, WorkerError)
    assert "job-1" in str(site.raised)


@pytest.mark.parametrize("error", [NonRetryableError("no"), ValueError("no")])
def test_a_given_up_job_is_not_bid_on_again(error) -> None:
    wire = Market(("poisoned", "a"))

    def handle(task):
        if task.job_id == "poisoned":
            raise error
        return {}

    with running(wire, {"a": handle}, max_retries=1):
        wire.wait("bid", 1, "poisoned")
        wire.open["good"] = "a"
        until(lambda: "good" not in wire.open)
        polls = wire.count("available")
        until(lambda: wire.count("available") > polls + 5)
    assert wire.count("bid", "poisoned") == 1


def test_failing_bids_back_off() -> None:
    wire = Market(("job-1", "a"), bid=refusal(500, "internal"))
    with running(wire, {"a": lambda task: {}}):
        threading.Event().wait(2.0)
    assert 3 <= wire.count("bid") <= 8


@pytest.mark.parametrize("bad", [lambda call: 1 / 0, data(accepted=True, task_run_id=7)])
def test_an_internal_error_does_not_stop_the_worker(bad) -> None:
    wire = Market(("job-1", "a"))
    good = wire.answers["bid"]
    wire.answers["bid"] = [bad, good]
    with running(wire, {"a": lambda task: {}}):
        until(lambda: not wire.open)
    assert wire.count("bid") == 2


class Full(Runtime):
    """A runtime whose process table becomes full when a test says so."""

    def __init__(self) -> None:
        self.is_full = False

    def start(self, target, *, name):
        if self.is_full:
            raise RuntimeError("can't start new thread")
        return super().start(target, name=name)


def test_a_full_process_table_is_survived_and_reported() -> None:
    runtime = Full()
    wire = Market(("job-1", "a"), heartbeat=data(lease_expires_at=after(30)))
    finish = threading.Event()
    options = {"heartbeat_interval": 0.3, "runtime": runtime}
    with running(wire, {"a": lambda task: {"ok": finish.wait(20)}}, **options) as site:
        wire.wait("bid", 1)
        runtime.is_full = True
        until(lambda: not site.run.health().live)
        health = site.run.health()
        assert "can't start new thread" in health.problems[0]
        assert not health.ready
        assert wire.count("heartbeat") == 0
        runtime.is_full = False
        wire.wait("heartbeat", 2)
        until(lambda: site.run.health().live)
        finish.set()
        until(lambda: not wire.open)


def test_the_worker_waits_for_a_full_process_table() -> None:
    runtime = Full()
    runtime.is_full = True
    wire = Market(("job-1", "a"))
    with running(wire, {"a": lambda task: {}}, concurrency=2, runtime=runtime) as site:
        until(lambda: len(site.run.health().problems) > 2)
        assert wire.count("bid") == 0
        runtime.is_full = False
        until(lambda: not wire.open)
        until(lambda: site.run.health().ready)


class Raising(logging.Handler):
    """A handler of an application that is broken."""

    def emit(self, record: logging.LogRecord) -> None:
        raise OSError("no space left on device")


def test_a_failing_log_handler_stops_nothing() -> None:
    wire = Market(*[(f"job-{n}", "a") for n in range(10)])
    wire.answers["bid"] = [refusal(503, "busy"), wire.answers["bid"]]
    broken, root = Raising(level=logging.DEBUG), logging.getLogger("chaojiyuyan_worker")
    root.addHandler(broken)
    before, root.level = root.level, logging.DEBUG
    try:
        with running(wire, {"a": lambda task: {}}):
            until(lambda: not wire.open)
    finally:
        root.removeHandler(broken)
        root.setLevel(before)


def test_bids_are_limited_by_the_workers_of_an_executor() -> None:
    wire = Market(*[(f"job-{n}", "a") for n in range(8)])
    running_now, most = [], []

    def handle(task):
        running_now.append(task.job_id)
        most.append(wire.count("bid") - wire.count("submit"))
        threading.Event().wait(0.05)
        running_now.remove(task.job_id)
        return {}

    with (
        ThreadPoolExecutor(1) as pool,
        running(wire, {"a": (handle, None, pool, 30.0)}, concurrency=8),
    ):
        until(lambda: not wire.open)
    assert max(most) == 1
    assert wire.count("bid") == 8


@pytest.mark.parametrize(
    ("reply", "error"),
    [(refusal(503, "busy"), ServerError), (fault(httpx.ConnectError("no")), httpx.ConnectError)],
)
@pytest.mark.parametrize("endpoint", ["available", "capabilities"])
def test_with_once_a_failed_poll_is_raised(endpoint, reply, error) -> None:
    wire = Market()
    wire.answers[endpoint] = reply
    site = Site(wire, {"a": lambda task: {}})
    with pytest.raises(error):
        site.run.run(once=True)


def test_threads_end_with_the_run() -> None:
    before = set(threading.enumerate())
    wire = Market(*[(f"job-{n}", "a") for n in range(10)])

    async def handle(task):
        return {}

    with running(wire, {"a": handle}, concurrency=4):
        until(lambda: not wire.open)
    until(lambda: not [t for t in set(threading.enumerate()) - before if t.is_alive()])
    assert wire.closed


def test_a_stopped_event_loop_is_replaced() -> None:
    import asyncio

    wire = Market(("job-1", "a"), ("job-2", "a"))

    async def handle(task):
        if task.job_id == "job-1" and task.attempt == 1:
            asyncio.get_running_loop().stop()
            await asyncio.sleep(30)
        return {}

    with running(wire, {"a": handle}, concurrency=2):
        until(lambda: not wire.open)
