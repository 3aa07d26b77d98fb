"""Random histories of the kernel: money is conserved, jobs end once, the disk agrees."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import Any

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chaojiyuyan_devserver._catalog_files import load_builtin
from chaojiyuyan_devserver._store.queries import find_job, load_state
from chaojiyuyan_devserver._store.store import Store
from chaojiyuyan_devserver.kernel import Catalog, Kernel, Order, Refusal, Result
from chaojiyuyan_devserver.kernel.records import TERMINAL_STATUSES, Job, Transfer

CAPABILITIES = ("test.echo.v1", "text.digest.v1")
DIGEST = {"lines": 0, "words": 0, "bytes": 0, "sha256": "0" * 64}
agents = st.integers(0, 2)
picks = st.integers(0, 50)


_store = Store(None)


class Histories(RuleBasedStateMachine):
    """Three agents call, bid, extend leases, submit and wait in any order; all is stored."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000_000.0
        self.count = 0
        self.kernel = self.start()
        self.store = _store
        self.store.clear()
        self.jobs: list[Job] = []
        self.transfers: list[Transfer] = []
        self.agents = []
        for name in ("one", "two", "three"):
            account = self.kernel.open_account(name, 20)
            agent, _ = self.kernel.create_agent(account.id, name)
            self.kernel.register(agent, list(CAPABILITIES))
            self.kernel.webhooks.configure(account.id, "http://127.0.0.1:9/", "secret")
            self.agents.append(agent)
        self.write()

    def start(self) -> Kernel:
        return Kernel(Catalog(load_builtin()), clock=lambda: self.now, new_id=self.new_id)

    def new_id(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}_{self.count}"

    def write(self) -> None:
        changes = self.kernel.take_changes()
        self.transfers += [c for c in changes if isinstance(c, Transfer)]
        self.store.write(changes)
        for change in changes:
            if isinstance(change, Job) and change.terminal:
                self.kernel.jobs.board.remove(change)

    def attempt(self, action: Any, *arguments: Any) -> None:
        with suppress(Refusal):
            action(*arguments)
        self.write()

    @rule(agent=agents, capability=st.sampled_from(CAPABILITIES), timeout=st.integers(1, 200))
    def call(self, agent: int, capability: str, timeout: int) -> None:
        with suppress(Refusal):  # its balance may be too low
            order = Order(capability, {"text": ""}, timeout_sec=timeout)
            job = self.kernel.jobs.create(self.agents[agent], order)
            self.jobs.append(job)
        self.write()

    @precondition(lambda self: self.jobs)
    @rule(agent=agents, pick=picks)
    def bid(self, agent: int, pick: int) -> None:
        self.attempt(self.kernel.jobs.bid, self.agents[agent], self.jobs[pick % len(self.jobs)])

    @precondition(lambda self: self.jobs)
    @rule(agent=agents, pick=picks)
    def heartbeat(self, agent: int, pick: int) -> None:
        job = self.jobs[pick % len(self.jobs)]
        self.attempt(self.kernel.jobs.heartbeat, self.agents[agent], job)

    @precondition(lambda self: self.jobs)
    @rule(agent=agents, pick=picks, fits=st.booleans())
    def submit(self, agent: int, pick: int, fits: bool) -> None:
        job = self.jobs[pick % len(self.jobs)]
        output: dict[str, Any] = DIGEST if fits else {"lines": -1}
        result = Result(output, [{"kind": "json"}])
        self.attempt(self.kernel.jobs.submit, self.agents[agent], job, result)

    @precondition(lambda self: self.jobs)
    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        self.attempt(self.kernel.jobs.cancel, self.jobs[pick % len(self.jobs)])

    @rule(seconds=st.floats(0.1, 60))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.kernel.jobs.expire()
        self.write()

    @invariant()
    def money_is_neither_made_nor_lost(self) -> None:
        accounts = self.kernel.ledger.accounts.values()
        assert sum(account.available_nc + account.held_nc for account in accounts) == 0
        for agent in self.agents:
            account = self.kernel.ledger.accounts[agent.account_id]
            own = [j for j in self.jobs if j.account_id == account.id and not j.terminal]
            assert account.held_nc == sum(job.price_nc for job in own)
            assert account.available_nc >= 0

    @invariant()
    def a_job_is_settled_or_paid_back_exactly_once(self) -> None:
        ends = Counter(t.job for t in self.transfers if t.kind in ("pay", "release"))
        assert ends == Counter(job.number for job in self.jobs if job.terminal)
        paid = {t.job for t in self.transfers if t.kind == "pay"}
        assert paid == {job.number for job in self.jobs if job.status == "succeeded"}

    @invariant()
    def every_job_is_where_its_status_says(self) -> None:
        offered = {job.id for job in self.kernel.jobs.board.offered(CAPABILITIES, 1000)}
        assert offered == {job.id for job in self.jobs if job.status == "bidding"}
        for job in self.jobs:
            assert job.status in {"bidding", "running", *TERMINAL_STATUSES}
            running = [attempt for attempt in job.attempts if attempt.status == "running"]
            assert len(running) == (job.status == "running")
            assert len(job.attempts) <= 3
            assert (job.completed_at is None) == (not job.terminal)
            if not job.terminal:
                assert job.deadline > self.now
                assert (self.kernel.jobs.board.next_deadline() or 0) <= job.deadline

    @invariant()
    def one_webhook_is_queued_for_every_job_that_ended(self) -> None:
        queued = Counter(delivery.job_id for delivery in self.kernel.webhooks.pending.values())
        assert queued == Counter(job.id for job in self.jobs if job.terminal)

    def teardown(self) -> None:
        """Check that a restart loads exactly the stored state."""
        again = self.start()
        again.restore(load_state(self.store))
        assert again.snapshot() == self.kernel.snapshot()
        for job in self.jobs:
            assert find_job(self.store, job.id) == job


Histories.TestCase.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
test_histories = Histories.TestCase
