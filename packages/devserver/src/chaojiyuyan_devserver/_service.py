"""The running kernel: its state in memory, its changes on disk, its timers and waiters."""

import asyncio
import logging
import secrets
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from ._activity import INTERVAL, INTERVALS, Activity
from ._clock import Clock
from ._faults import Faults
from ._folder import Folder
from ._ids import new_id
from ._store.queries import count_ended, ended_since, find_job, find_repeated, load_state
from ._store.snapshots import replace_by_snapshot, save_snapshot
from ._store.store import Store
from ._waiters import Changed, Ended, Offered, Topic, Waiters
from ._webhooks import Sender
from .kernel import Catalog, Kernel, Order, Refusal, Rules
from .kernel.records import (
    OPEN_STATUSES,
    TERMINAL_STATUSES,
    Account,
    Agent,
    Attempt,
    Job,
    Record,
    Strike,
)

log = logging.getLogger(__name__)

STARTING_BALANCE = 10_000_000
OWNER = "Local developer"
OFFER_INTERVAL = 0.05
"""Seconds after which a job that no worker has taken wakes further workers."""
_CLOCK_OFFSET = "clock_offset"


class KernelService:
    """The application object, used by the API, the control endpoints and the console.

    A coroutine method returns only when everything that its result depends on is committed, so
    whatever a client has seen survives a kill of the process.

    Args:
        catalog: The capability specs.
        rules: The kernel's limits.
        folder: The folder for the data, None for memory.
        on_failure: Called when the database can no longer be written.

    Attributes:
        ready_agent: The agent whose key is printed at the start.
        ready_key: The ready agent's key.
        activity: The counts of jobs that ended in the last minutes.
        form_token: The CSRF token in the console's forms.
    """

    ready_agent: Agent
    ready_key: str

    def __init__(
        self, catalog: Catalog, rules: Rules, folder: Folder | None, on_failure: Callable[[], None]
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self._folder = folder
        self._catalog = catalog
        self._rules = rules
        self._on_failure = on_failure
        self._timer: asyncio.TimerHandle | None = None
        self._flush: asyncio.Future[None] | None = None
        self._has_failed = False
        self.waiters = Waiters()
        self.faults = Faults()
        self.form_token = secrets.token_hex(32)
        self.clock = Clock()
        self.store = Store(folder.database if folder is not None else None)
        self.clock.offset = float(self.store.setting(_CLOCK_OFFSET) or 0)
        self._take_over(self._read())

    def _read(self) -> Kernel:
        kernel = Kernel(self._catalog, self._rules, clock=self.clock, new_id=new_id)
        kernel.restore(load_state(self.store))
        return kernel

    def _take_over(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.activity = Activity()
        self.activity.restore(ended_since(self.store, self.clock() - INTERVAL * INTERVALS))
        self._ended = Counter(count_ended(self.store))
        self.sender = Sender(self.kernel.webhooks, self.save)
        self.save()

    def save(self) -> None:
        """Schedule a commit of all changes at the end of the event loop's turn.

        All changes of a turn are in one transaction, so under load many requests share one.
        """
        if self._flush is None:
            self._flush = self.loop.create_future()
            self.loop.call_soon(self._commit)

    async def saved(self) -> None:
        """Return when all changes until now are committed."""
        if self.kernel.has_changes:
            self.save()
        if self._flush is not None:
            await asyncio.shield(self._flush)

    def _commit(self) -> None:
        if self._has_failed:
            return
        flush, self._flush = self._flush, None
        changes = self.kernel.take_changes()
        if changes:
            try:
                self.store.write(changes)
            except sqlite3.Error as error:
                # Memory now has changes that the disk does not have. They must not be shown to
                # clients and no later change may be written, so requests wait until the process
                # ends.
                self._has_failed, self._flush = True, flush or self.loop.create_future()
                log.critical("The database cannot be written; the kernel stops: %s", error)
                self._on_failure()
                return
        if flush is not None:
            flush.set_result(None)
        self._announce(changes)

    def _announce(self, changes: list[Record]) -> None:
        for record in changes:
            self.waiters.wake(Changed(type(record).__name__))
            if isinstance(record, Job):
                self.waiters.wake(Changed(record.number))
                if record.completed_at is not None:
                    self._ended[record.status] += 1
                    self.activity.add(record.status, record.created_at, record.completed_at)
                    self.kernel.jobs.board.remove(record)
                    self.waiters.wake(Ended(record.number))
                elif record.status == "bidding":
                    self._offer(record, 1)
            elif isinstance(record, (Attempt, Strike)):
                self.waiters.wake(Changed(record.job))
        self.sender.send_due()
        self._set_timer()

    def _offer(self, job: Job, count: int) -> None:
        # A job wakes one worker. If that worker does not bid, twice as many are woken the next
        # time, so all workers see the job soon without waking hundreds for each job.
        if job.status == "bidding" and self.waiters.wake(Offered(job.capability_key), count):
            self.loop.call_later(OFFER_INTERVAL, self._offer, job, 2 * count)

    def _set_timer(self) -> None:
        deadlines = (self.kernel.jobs.board.next_deadline(), self.sender.next_deadline())
        deadline = min((d for d in deadlines if d is not None), default=None)
        if deadline is None:
            return
        when = self.loop.time() + max(0.0, deadline - self.clock())
        # A timer that fires too early costs little; resetting it at every change costs more.
        if self._timer is None or when < self._timer.when():
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self.loop.call_at(when, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.kernel.jobs.expire()
        self.save()

    async def close(self) -> None:
        """Release the waiters and close the database."""
        self.waiters.close()
        await self.sender.close()
        if self._timer is not None:
            self._timer.cancel()
        self._commit()
        self.store.close()

    async def skip(self, seconds: float | None) -> float:
        """Move the clock ahead. Deadlines in that time take effect in order, each at its time.

        Args:
            seconds: How far, in seconds; None for the next deadline of a job or a webhook.

        Returns:
            The seconds that were skipped. All deadlines of jobs in that time have been applied.

        Raises:
            Refusal: 409 ``nothing_due``, if there is no deadline.
        """
        start = self.clock()
        end = self.kernel.next_deadline() if seconds is None else start + seconds
        if end is None:
            raise Refusal(409, "nothing_due", "No job and no webhook has a deadline.")
        end = max(start, end)
        while (at := self.kernel.jobs.board.next_deadline()) is not None and at <= end:
            self.clock.set(max(at, self.clock()))
            self.kernel.jobs.expire()
        self.clock.set(max(end, self.clock()))
        self.store.set(_CLOCK_OFFSET, repr(self.clock.offset))
        self.save()  # also if no job changed, since a delivery may be due
        await self.saved()
        return end - start

    async def reset(self) -> None:
        """Delete everything except the ready agent, its key and its account.

        The faults are removed, the clock is set to the machine's, and the account's balance to
        its initial value.
        """
        await self.saved()
        with self.store.transaction():
            self.store.clear()
        self.faults.set([])
        self.clock.offset = 0.0
        old_sender, old_agent = self.sender, self.ready_agent
        self._take_over(self._read())
        self.kernel.open_account(OWNER, STARTING_BALANCE, old_agent.account_id)
        self.ready_agent = self.kernel.agents.adopt(
            replace(old_agent, handler_set=[], registered_at=None, last_seen_at=None)
        )
        await self.saved()
        await old_sender.close()

    async def save_snapshot(self) -> bytes:
        """Return the whole state as the content of a snapshot file."""
        await self.saved()
        return save_snapshot(self.store, saved_at=self.clock(), ready_key=self.ready_key)

    async def load_snapshot(self, content: bytes, *, resume_webhooks: bool) -> None:
        """Replace the whole state with a snapshot; the clock continues from when it was saved.

        Args:
            content: The snapshot's content.
            resume_webhooks: Send the deliveries that were pending, instead of holding them.

        Raises:
            SnapshotError: The file is not valid. Nothing was changed.
        """
        await self.saved()
        offset = self.clock.offset
        try:
            with replace_by_snapshot(self.store, content) as (saved_at, ready_key):
                self.clock.set(saved_at)
                self.store.set(_CLOCK_OFFSET, repr(self.clock.offset))
                if not resume_webhooks:
                    hold = "UPDATE deliveries SET status = 'held' WHERE status = 'pending'"
                    self.store.database.execute(hold)
                kernel = self._read()
        except BaseException:
            self.clock.offset = offset
            raise
        old_sender = self.sender
        self._take_over(kernel)
        await self.prepare(ready_key)
        self.waiters.wake_all()
        await old_sender.close()

    def counts(self) -> dict[str, int]:
        """Return the number of jobs of each status."""
        counts = dict.fromkeys((*OPEN_STATUSES, *TERMINAL_STATUSES), 0)
        counts.update(self._ended)
        for job in self.kernel.jobs.board.jobs.values():
            if not job.terminal:
                counts[job.status] += 1
        return counts

    def find_job(self, job_id: str) -> Job | None:
        """Return a job, or None."""
        return self.kernel.jobs.board.jobs.get(job_id) or find_job(self.store, job_id)

    def require_job(self, job_id: str, agent: Agent | None = None) -> Job:
        """Return a job; if an agent is given, only one of its own.

        Raises:
            Refusal: 404 ``kernel_job_not_found``, also for another agent's job.
        """
        job = self.find_job(job_id)
        if job is None or (agent is not None and job.agent_id != agent.id):
            raise Refusal(404, "kernel_job_not_found", "There is no such job.")
        return job

    def create_job(self, agent: Agent, order: Order) -> tuple[Job, bool]:
        """Create a job, or find the one with the same idempotency key; return whether it is new."""
        key = order.idempotency_key
        if key is not None:
            job = self.kernel.jobs.board.find_repeated(agent.id, key)
            job = job or find_repeated(self.store, agent.id, key)
            if job is not None:
                return job, False
        return self.kernel.jobs.create(agent, order), True

    async def wait_for(
        self, topics: Iterable[Topic], seconds: float, gone: asyncio.Future[Any]
    ) -> None:
        """Return at an event, after ``seconds``, or when the client has disconnected."""
        with self.waiters.waiting(topics) as woken:
            await asyncio.wait({woken, gone}, timeout=seconds, return_when="FIRST_COMPLETED")

    async def prepare(self, ready_key: str | None = None) -> None:
        """Find the ready agent by its key, by default that of the last start, or create one."""
        if ready_key is None and self._folder is not None:
            ready_key = self._folder.agent_key
        if ready_key and (agent := self.kernel.agents.authenticate(ready_key)):
            self.ready_agent, self.ready_key = agent, ready_key
        else:
            self.ready_agent, self.ready_key = await self.create_agent(
                "ready", account_id=self._owner().id
            )
        if self._folder is not None:
            self._folder.keep_agent_key(self.ready_key)

    def _owner(self) -> Account:
        accounts = self.kernel.ledger.accounts.values()
        found = next((account for account in accounts if account.name == OWNER), None)
        return found or self.kernel.open_account(OWNER, STARTING_BALANCE)

    async def create_agent(
        self, name: str, *, account_id: str | None = None, balance_nc: int = STARTING_BALANCE
    ) -> tuple[Agent, str]:
        """Add an agent, with a new account unless one is given; return it and its key."""
        if account_id is None:
            account_id = self.kernel.open_account(name, balance_nc).id
        created = self.kernel.create_agent(account_id, name)
        await self.saved()
        return created
