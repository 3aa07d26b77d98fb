"""One job from its award to its end, without a network."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext

import pytest

from chaojiyuyan_core.errors import NonRetryableError
from chaojiyuyan_worker import TaskContext
from chaojiyuyan_worker._observe.telemetry import Telemetry
from chaojiyuyan_worker._run.capacity import Capacity
from chaojiyuyan_worker._run.execution import Execution
from chaojiyuyan_worker._run.given_up import GivenUp
from chaojiyuyan_worker._run.handlers import Handler
from chaojiyuyan_worker._run.job import JobRun, Outcome, Parts
from chaojiyuyan_worker._run.offers import Offers
from chaojiyuyan_worker._run.options import RunOptions
from chaojiyuyan_worker._run.runtime import Runtime
from chaojiyuyan_worker.leases import LeaseKeeper
from support.background import meanwhile
from support.replies import after, data, page, refusal
from support.wires import FakeWire

REFUSED = refusal(422, "validation_failed", validation_errors=["n: low"])
SETTLED = data(settled=True)
GONE = refusal(404, "task_run_not_found")


class Told(Telemetry):
    """Records the verdicts."""

    def __init__(self) -> None:
        self.verdicts = []

    def ended(self, task, verdict, margin) -> None:
        self.verdicts.append(verdict)


class Bench:
    """A job with its runner and fake wires."""

    def __init__(self, function, *, lease: float = 29.0, **handler) -> None:
        self.runtime = Runtime()
        self.wire, self.heartbeats = FakeWire(), FakeWire()
        self.given_up = GivenUp(self.runtime.clock)
        self.keeper = LeaseKeeper(self.heartbeats, runtime=self.runtime)
        self.telemetry = Told()
        self.lease = lease
        self.task = TaskContext({"job_id": "job-1", "capability_key": "a"}, task_run_id="run-1")
        self.parts = Parts(
            self.runtime,
            RunOptions(),
            {"a": Handler("a", function, **handler)},
            Offers(Capacity(1, {"a": 1}), self.given_up, self.runtime),
            self.keeper,
            Execution(self.runtime),
            self.telemetry,
        )

    def run(self):
        """Run the job, and return its verdict."""
        sent = self.runtime.clock()
        try:
            JobRun(self.parts, self.task, sent, self.lease, self.wire).run()
        finally:
            self.keeper.close()
            self.parts.execution.close()
        return self.telemetry.verdicts[-1]

    @property
    def is_given_up(self) -> bool:
        return "job-1" in self.given_up


@pytest.fixture
def attempts():
    return []


def noting(attempts):
    """A handler that records its arguments."""
    return lambda task: attempts.append((task.attempt, task.validation_errors)) or {"n": 1}


def test_a_heartbeat_precedes_the_run_after_a_refusal(attempts) -> None:
    bench = Bench(lambda task: attempts.append(bench.heartbeats.count("heartbeat")) or {})
    bench.wire.answers["submit"] = [REFUSED, data(settled=False), SETTLED]
    assert bench.run().outcome is Outcome.SETTLED
    assert attempts == [0, 1, 2]


def test_the_next_run_gets_the_validation_errors(attempts) -> None:
    bench = Bench(noting(attempts))
    bench.wire.answers["submit"] = [REFUSED, SETTLED]
    assert bench.run().outcome is Outcome.SETTLED
    assert attempts == [(1, []), (2, ["n: low"])]


def test_without_a_lease_a_refusal_has_no_next_run(attempts) -> None:
    bench = Bench(noting(attempts))
    bench.wire.answers["submit"] = REFUSED
    bench.heartbeats.answers["heartbeat"] = [page(502), GONE]
    assert bench.run().outcome is Outcome.LOST
    assert len(attempts) == 1
    assert bench.wire.count("submit") == 1
    assert not bench.is_given_up


def test_a_heartbeat_without_an_answer_does_not_confirm(attempts) -> None:
    bench = Bench(noting(attempts), lease=1.0)
    bench.wire.answers["submit"] = REFUSED
    bench.heartbeats.answers["heartbeat"] = page(502)
    assert bench.run().outcome is Outcome.LOST
    assert len(attempts) == 1


@pytest.mark.parametrize("settled", [None, True])
def test_settled_null_is_not_a_refusal(attempts, settled) -> None:
    bench = Bench(noting(attempts))
    bench.wire.answers["submit"] = data(settled=settled)
    assert bench.run().outcome is Outcome.SETTLED
    assert len(attempts) == 1


def test_a_lease_lost_during_a_submit_aborts_it() -> None:
    bench = Bench(lambda task: {}, lease=1.0)
    bench.heartbeats.answers["heartbeat"] = GONE

    def slow(call):
        assert bench.wire.aborted.wait(10)
        return page(502)

    bench.wire.answers["submit"] = slow
    verdict = bench.run()
    assert verdict.outcome is Outcome.PROBABLY_SETTLED
    assert bench.wire.count("submit") == 1


def test_a_lease_lost_while_the_handler_runs_aborts_nothing() -> None:
    lost = threading.Event()

    def handle(task):
        task.on_cancel(lost.set)
        assert lost.wait(10)
        return {}

    bench = Bench(handle, lease=1.0)
    bench.heartbeats.answers["heartbeat"] = GONE
    assert bench.run().outcome is Outcome.LOST
    assert not bench.wire.aborted.is_set()
    assert bench.wire.count("submit") == 0


def fail(task):
    raise ValueError("never")


def give_up(task):
    raise NonRetryableError("no such picture")


@pytest.mark.parametrize(
    ("function", "outcome", "for_good"),
    [
        (fail, Outcome.FAILED, False),
        (lambda task: "text", Outcome.GIVEN_UP, False),
        (lambda task: {"n": {1}}, Outcome.GIVEN_UP, False),
        (give_up, Outcome.GIVEN_UP, True),
    ],
)
def test_a_given_up_job_is_remembered(function, outcome, for_good) -> None:
    bench = Bench(function)
    assert bench.run().outcome is outcome
    assert bench.is_given_up
    assert (bench.given_up._until["job-1"] == float("inf")) is for_good


@pytest.mark.parametrize("error", [ValueError, NonRetryableError])
def test_the_reason_of_a_verdict_is_one_short_line(error) -> None:
    def handler(task):
        raise error("a line\n\x1b[31m" * 100_000)

    reason = Bench(handler).run().reason
    assert "a line\\u000a\\u001b" in reason
    assert reason.isprintable()
    assert len(reason) <= 1000


def test_a_final_submit_error_gives_up_the_job() -> None:
    bench = Bench(lambda task: {})
    bench.wire.answers["submit"] = page(413)
    assert bench.run().outcome is Outcome.GIVEN_UP
    assert bench.wire.count("submit") == 1
    assert bench.is_given_up


def test_a_failing_telemetry_releases_the_lease() -> None:
    bench = Bench(lambda task: {})
    bench.telemetry.job = lambda task, lease: held.append(lease) or 1 / 0
    held = []
    with pytest.raises(ZeroDivisionError):
        bench.run()
    assert held[0].lost is None
    assert held[0].released
    assert bench.is_given_up


def test_the_lease_is_released_before_the_report() -> None:
    bench = Bench(lambda task: {})
    held, told = [], []

    def ended(task, verdict, left):
        told.append((held[0].released, left))
        raise ZeroDivisionError

    bench.telemetry.job = lambda task, lease: held.append(lease) or nullcontext()
    bench.telemetry.ended = ended
    with pytest.raises(ZeroDivisionError):
        bench.run()
    [(released, left)] = told
    assert released
    assert 20 < left <= 29


def test_the_report_belongs_to_the_job_of_the_telemetry() -> None:
    bench = Bench(lambda task: {})
    told = bench.telemetry.verdicts

    @contextmanager
    def job(task, lease):
        told.append("start")
        yield
        told.append("end")

    bench.telemetry.job = job
    bench.run()
    start, verdict, end = told
    assert (start, verdict.outcome, end) == ("start", Outcome.SETTLED, "end")


def test_a_settled_job_is_not_given_up() -> None:
    bench = Bench(lambda task: {})
    assert bench.run().outcome is Outcome.SETTLED
    assert not bench.is_given_up


def test_a_timeout_counts_from_the_start_of_the_handler(attempts) -> None:
    with ThreadPoolExecutor(1) as pool:
        busy = threading.Event()
        pool.submit(busy.wait, 10)
        bench = Bench(noting(attempts), executor=pool, timeout=0.2)
        with meanwhile(busy.set, delay=0.6):
            assert bench.run().outcome is Outcome.SETTLED
    assert len(attempts) == 1


def test_a_job_with_a_lost_lease_never_starts(attempts) -> None:
    with ThreadPoolExecutor(1) as pool:
        busy = threading.Event()
        pool.submit(busy.wait, 10)
        bench = Bench(noting(attempts), executor=pool, lease=0.3)
        bench.heartbeats.answers["heartbeat"] = GONE
        assert bench.run().outcome is Outcome.LOST
        busy.set()
    assert attempts == []
    assert bench.wire.count("submit") == 0


def test_a_handler_past_its_timeout_gives_up_the_job() -> None:
    cancelled = threading.Event()

    def handle(task):
        task.on_cancel(cancelled.set)
        assert cancelled.wait(10)
        return {}

    bench = Bench(handle, timeout=0.1)
    verdict = bench.run()
    assert (verdict.outcome, verdict.reason) == (
        Outcome.GIVEN_UP,
        "the handler ran longer than its timeout",
    )
    assert bench.is_given_up


def test_heartbeats_continue_after_a_late_answer_to_a_bid() -> None:
    finish = threading.Event()
    bench = Bench(lambda task: {"ok": finish.wait(10)}, lease=2.0)
    bench.heartbeats.answers["heartbeat"] = data(lease_expires_at=after(30))
    waiter = threading.Thread(target=lambda: bench.heartbeats.wait("heartbeat", 1) or finish.set())
    waiter.start()
    assert bench.run().outcome is Outcome.SETTLED
    waiter.join(10)
