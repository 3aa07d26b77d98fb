"""The state machine step by step, without I/O and with the test's clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chaojiyuyan_devserver._catalog_files import load_builtin
from chaojiyuyan_devserver.kernel import Catalog, Kernel, Order, Refusal, Result

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaojiyuyan_devserver.kernel.records import Agent, Job

START = 1_800_000_000.0


class Machine:
    """A kernel without I/O with a caller and two workers; ``now`` is its time."""

    def __init__(self) -> None:
        self.now = START
        self.kernel = Kernel(Catalog(load_builtin()), clock=lambda: self.now)
        self.jobs = self.kernel.jobs
        self.caller = self.agent("caller")
        self.worker = self.agent("worker")
        self.rival = self.agent("rival")
        for worker in (self.worker, self.rival):
            self.kernel.register(worker, ["test.echo.v1", "text.digest.v1"])

    def agent(self, name: str, balance_nc: int = 100) -> Agent:
        """Add an agent with a new account."""
        account = self.kernel.open_account(name, balance_nc)
        return self.kernel.create_agent(account.id, name)[0]

    def call(self, capability_key: str = "test.echo.v1", **more: Any) -> Job:
        """Create a job of the caller."""
        payload = more.pop("payload", {"text": "one"})
        return self.kernel.jobs.create(self.caller, Order(capability_key, payload, **more))

    def balance(self, agent: Agent) -> tuple[int, int]:
        """Return the available and the held balance of an agent's account."""
        account = self.kernel.ledger.accounts[agent.account_id]
        return account.available_nc, account.held_nc

    def wait(self, seconds: float) -> None:
        """Move the time ahead and apply the deadlines."""
        self.now += seconds
        self.kernel.jobs.expire()


@pytest.fixture
def machine() -> Machine:
    """A kernel without I/O."""
    return Machine()


def refused(action: Callable[..., Any], *arguments: Any) -> tuple[int, str]:
    """Return the status and code with which an action is refused."""
    with pytest.raises(Refusal) as caught:
        action(*arguments)
    return caught.value.status, caught.value.code


def history(job: Job) -> list[str]:
    """Return the names of a job's events."""
    return [event.event_type for event in job.events]


def test_a_job_is_settled_and_paid_in_one_step(machine: Machine) -> None:
    job = machine.call("text.digest.v1")
    assert job.status == "bidding"
    assert machine.balance(machine.caller) == (98, 2)
    attempt = machine.jobs.bid(machine.worker, job)
    assert (job.status, attempt.lease_expires_at) == ("running", machine.now + 30)
    output = {"lines": 1, "words": 1, "bytes": 3, "sha256": "0" * 64}
    machine.jobs.submit(machine.worker, job, Result(output, [{"kind": "json"}]))
    assert (job.status, job.payout_nc, job.output_envelope) == ("succeeded", 2, output)
    assert job.artifacts[0]["kind"] == "json"
    assert job.artifacts[0]["id"]
    assert machine.balance(machine.caller) == (98, 0)
    assert machine.balance(machine.worker) == (102, 0)
    assert history(job) == ["job.created", "job.bidding", "job.awarded", "job.succeeded"]


def test_a_caller_without_enough_balance_gets_no_job(machine: Machine) -> None:
    poor = machine.agent("poor", balance_nc=4)
    assert refused(machine.jobs.create, poor, Order("media.echo.v1")) == (
        402,
        "insufficient_balance",
    )
    assert machine.balance(poor) == (4, 0)


def test_a_call_outside_the_catalog_is_refused(machine: Machine) -> None:
    assert refused(machine.call, "no.such.v1") == (400, "unknown_capability")
    with pytest.raises(Refusal) as caught:
        machine.call("text.digest.v1", payload={"text": 7})
    assert (caught.value.status, caught.value.code) == (400, "invalid_input")
    assert caught.value.extra["validation_errors"] == ["$.text: 7 is not of type 'string'"]
    assert machine.balance(machine.caller) == (100, 0)


def test_the_first_bid_wins(machine: Machine) -> None:
    job = machine.call()
    machine.jobs.bid(machine.worker, job)
    with pytest.raises(Refusal) as caught:
        machine.jobs.bid(machine.rival, job)
    assert (caught.value.status, caught.value.code) == (200, "already_awarded")
    assert caught.value.extra == {"awarded_to_agent_id": machine.worker.id}


def test_only_a_worker_with_the_capability_may_bid(machine: Machine) -> None:
    job = machine.call("media.echo.v1")
    assert refused(machine.jobs.bid, machine.caller, job) == (403, "worker_not_enabled")
    assert refused(machine.jobs.bid, machine.worker, job) == (
        403,
        "capability_not_in_handler_set",
    )
    assert refused(machine.jobs.available, machine.caller, None, 10)[1] == "worker_not_enabled"
    assert machine.jobs.available(machine.worker, None, 10) == []


def test_a_heartbeat_extends_the_lease_from_now(machine: Machine) -> None:
    job = machine.call()
    machine.jobs.bid(machine.worker, job)
    for _ in range(5):
        machine.wait(29)
        assert machine.jobs.heartbeat(machine.worker, job).lease_expires_at == machine.now + 30
    machine.wait(30)
    assert job.status == "bidding"


def test_a_lost_lease_is_rerouted_and_refused_to_its_holder(machine: Machine) -> None:
    job = machine.call()
    machine.jobs.bid(machine.worker, job)
    machine.wait(30)
    assert refused(machine.jobs.heartbeat, machine.worker, job) == (410, "lease_expired")
    assert refused(machine.jobs.submit, machine.worker, job, Result({})) == (410, "lease_expired")
    machine.jobs.bid(machine.rival, job)
    assert refused(machine.jobs.heartbeat, machine.worker, job) == (404, "task_run_not_found")
    machine.jobs.submit(machine.rival, job, Result({"by": "rival"}))
    assert [a.status for a in job.attempts] == ["lease_expired", "succeeded"]
    assert machine.balance(machine.rival) == (101, 0)
    assert machine.balance(machine.worker) == (100, 0)


def test_a_lease_expires_without_a_timer(machine: Machine) -> None:
    job = machine.call()
    machine.jobs.bid(machine.worker, job)
    machine.now += 30
    assert refused(machine.jobs.submit, machine.worker, job, Result({})) == (410, "lease_expired")
    assert job.status == "bidding"


def test_a_repeated_submit_finds_no_task_run(machine: Machine) -> None:
    job = machine.call()
    machine.jobs.bid(machine.worker, job)
    machine.jobs.submit(machine.worker, job, Result({}))
    assert refused(machine.jobs.submit, machine.worker, job, Result({}))[1] == "task_run_not_found"
    assert machine.balance(machine.worker) == (101, 0)


def test_a_job_fails_after_its_last_attempt(machine: Machine) -> None:
    job = machine.call()
    for _ in range(3):
        machine.jobs.bid(machine.worker, job)
        machine.wait(30)
    assert (job.status, job.error_code) == ("failed", "attempt_exhausted")
    assert machine.balance(machine.caller) == (100, 0)
    assert refused(machine.jobs.bid, machine.worker, job) == (410, "attempt_exhausted")


def test_an_invalid_output_may_be_corrected_twice(machine: Machine) -> None:
    job = machine.call("text.digest.v1")
    machine.jobs.bid(machine.worker, job)
    for expected in (422, 422, 200):
        with pytest.raises(Refusal) as caught:
            machine.jobs.submit(machine.worker, job, Result({"lines": "many"}))
        assert (caught.value.status, caught.value.code) == (expected, "validation_failed")
        assert any("'many'" in error for error in caught.value.extra["validation_errors"])
    assert (job.status, job.attempts[0].status) == ("bidding", "validation_failed")


def test_a_job_without_bids_expires(machine: Machine) -> None:
    job = machine.call()
    machine.wait(599)
    assert job.status == "bidding"
    machine.wait(1)
    assert (job.status, job.error_code) == ("expired", "bid_window_expired")
    assert refused(machine.jobs.bid, machine.worker, job) == (410, "bid_window_expired")
    assert machine.balance(machine.caller) == (100, 0)


def test_the_timeout_ends_a_running_job(machine: Machine) -> None:
    job = machine.call(timeout_sec=40)
    machine.jobs.bid(machine.worker, job)
    machine.wait(20)
    machine.jobs.heartbeat(machine.worker, job)
    machine.wait(20)
    assert (job.status, job.error_code) == ("expired", "timeout")
    assert job.attempts[0].status == "expired"
    assert refused(machine.jobs.submit, machine.worker, job, Result({})) == (410, "lease_expired")


def test_a_cancelled_job_is_paid_back_and_ends_only_once(machine: Machine) -> None:
    job = machine.call()
    machine.jobs.cancel(job)
    assert machine.balance(machine.caller) == (100, 0)
    assert refused(machine.jobs.cancel, job) == (409, "job_ended")
    assert refused(machine.jobs.bid, machine.worker, job) == (200, "not_in_bidding")


def test_offers_come_oldest_first_and_within_the_limit(machine: Machine) -> None:
    made = [machine.call(key) for key in ("test.echo.v1", "text.digest.v1") * 3]
    assert machine.jobs.available(machine.worker, None, 4) == made[:4]
    assert machine.jobs.available(machine.worker, "text.digest.v1", 10) == made[1::2]


def test_a_caller_may_work_for_itself(machine: Machine) -> None:
    machine.kernel.register(machine.caller, ["test.echo.v1"])
    job = machine.call()
    machine.jobs.bid(machine.caller, job)
    machine.jobs.submit(machine.caller, job, Result({}))
    assert machine.balance(machine.caller) == (100, 0)


def test_a_login_is_approved_once_and_gives_one_key(machine: Machine) -> None:
    logins = machine.kernel.logins
    logins.start("secret", "BCDF-2345", "laptop", machine.now)
    assert refused(logins.poll, "secret", machine.now) == (428, "authorization_pending")
    assert refused(logins.poll, "secret", machine.now + 0.1) == (429, "slow_down")
    assert refused(logins.decide, "XXXX-0000", True, machine.now)[0] == 404
    logins.decide(" bcdf-2345 ", True, machine.now)
    assert logins.poll("secret", machine.now).client_name == "laptop"
    assert refused(logins.poll, "secret", machine.now) == (410, "expired_token")
    assert refused(logins.decide, "BCDF-2345", True, machine.now)[0] == 404


def test_a_login_is_denied_or_expires(machine: Machine) -> None:
    logins = machine.kernel.logins
    logins.start("denied", "BCDF-2345", "laptop", machine.now)
    logins.decide("BCDF-2345", False, machine.now)
    assert refused(logins.poll, "denied", machine.now) == (410, "access_denied")
    logins.start("late", "GHJK-2345", "laptop", machine.now)
    assert refused(logins.decide, "GHJK-2345", True, machine.now + 600)[0] == 404
    assert refused(logins.poll, "late", machine.now + 600) == (410, "expired_token")


def test_a_revoked_key_is_refused(machine: Machine) -> None:
    agent, api_key = machine.kernel.create_agent(machine.caller.account_id, "another")
    assert machine.kernel.agents.authenticate(api_key) is agent
    machine.kernel.agents.revoke(agent.id, machine.now)
    assert machine.kernel.agents.authenticate(api_key) is None
    assert api_key not in repr(agent)


def test_deadlines_of_ended_jobs_are_removed(machine: Machine) -> None:
    board = machine.jobs.board
    for _ in range(1000):
        job = machine.call(timeout_sec=86400)
        machine.jobs.cancel(job)
        board.remove(job)
    assert len(board._deadlines) < 200
    assert board.jobs == {}
