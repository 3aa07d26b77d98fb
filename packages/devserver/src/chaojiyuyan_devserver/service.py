"""The kernel at work: its state in memory, its changes on disk, its timers and its waiters."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from .activity import INTERVAL, INTERVALS, Activity
from .clock import Clock
from .faults import Faults
from .kernel import Kernel, Refusal, Rules
from .kernel.records import Account, Agent, Attempt, DeviceLogin, Job, Json
from .kernel.webhooks import Delivery, Webhook
from .store import Store, history
from .store.rows import Setting
from .store.tables import deliveries
from .waiters import Waiters
from .webhooks import Sender

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .catalog import Catalog
    from .kernel.kernel import Change

log = logging.getLogger(__name__)

STARTING_BALANCE = 10_000_000
OWNER = "Local developer"
CLOCK_OFFSET = "clock_offset"
SECRETS = ("nxt_ag", "whsec", "device")


_chance = random.Random()  # noqa: S311 - ids are no secrets, and the system's source is slow


def new_id(prefix: str) -> str:
    """A new id; those that begin alike sort by time, so the database grows at its end."""
    if prefix in SECRETS:
        return f"{prefix}_{secrets.token_urlsafe(24)}"
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{_chance.getrandbits(80):020x}"


class KernelService:
    """The application object: what the API and the console call.

    Operations are coroutines. None returns before everything that its result rests on is
    committed, so what a client was told survives the process being killed.

    Args:
        catalog: the capability specs.
        rules: the kernel's limits.
        path: the database file, None for memory.
        on_failure: called when the database cannot be written any more.
    """

    def __init__(
        self, catalog: Catalog, rules: Rules, path: Path | None, on_failure: Callable[[], None]
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self._on_failure = on_failure
        self._flush: asyncio.Future[None] | None = None
        self._broken = False
        self._timer: asyncio.TimerHandle | None = None
        self.waiters = Waiters()
        self.faults = Faults()
        self.form_secret = secrets.token_bytes(32)
        self.store = Store(path)
        self.clock = Clock(float(self.store.setting(CLOCK_OFFSET) or 0))
        self.ready_agent: Agent
        self._catalog = catalog
        self._rules = rules
        self._load()

    def _load(self) -> None:
        store = self.store
        kernel = self.kernel = Kernel(self._catalog, self._rules, self.clock, new_id)
        self.sender = Sender(kernel.webhooks, self.clock, self.save)
        kernel.ledger.restore(store.records(Account))
        kernel.agents.restore(store.records(Agent))
        kernel.logins.restore(store.records(DeviceLogin))
        kernel.webhooks.restore(
            store.records(Webhook), store.records(Delivery, deliveries.c.status == "pending")
        )
        kernel.jobs.restore(history.open_jobs(store), history.last_number(store))
        self.activity = Activity()
        self.activity.restore(history.ended_since(store, self.clock() - INTERVAL * INTERVALS))
        self.save()

    # -- saving and waiting ----------------------------------------------------------------------

    def save(self) -> None:
        """Have what changed committed at the end of the event loop's turn.

        Whatever else changes in the same turn goes into the same transaction, so under load many
        requests share one.
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
        if self._broken:
            return
        flush, self._flush = self._flush, None
        changes = self.kernel.take_changes()
        if changes:
            try:
                self.store.write(changes)
            except SQLAlchemyError as error:
                # from here on memory knows more than the disk: nobody may be told of it, nor may
                # a later change be written; whoever waits goes on waiting until the process ends
                self._broken, self._flush = True, flush or self.loop.create_future()
                log.critical("the database cannot be written: %s", error)
                self._on_failure()
                return
            self._announce(changes)
        if flush is not None:
            flush.set_result(None)
        self.sender.send_due()
        self._set_timer()

    def _announce(self, changes: list[Change]) -> None:
        for record in changes:
            self.waiters.wake(f"{type(record).__name__} changed")
            if isinstance(record, Job):
                self.waiters.wake(f"{record.id} changed")
                if record.terminal:
                    self.kernel.jobs.board.remove(record)
                    if record.completed_at is not None:
                        self.activity.add(record.status, record.created_at, record.completed_at)
                    self.waiters.wake(record.id)
                elif record.status == "bidding":
                    self.waiters.wake(record.capability_key)
            elif isinstance(record, (Attempt, Delivery)):
                self.waiters.wake(f"{record.job_id} changed")

    def _set_timer(self) -> None:
        deadlines = (self.kernel.jobs.board.next_deadline(), self.sender.next_deadline())
        deadline = min((d for d in deadlines if d is not None), default=None)
        if deadline is None:
            return
        when = self.loop.time() + max(0.0, deadline - self.clock())
        # one that goes off too early costs a look; setting it anew at every step would cost more
        if self._timer is None or when < self._timer.when():
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self.loop.call_at(when, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.kernel.expire()
        self.save()

    async def advance(self, seconds: float) -> None:
        """Move the clock ahead; what falls due on the way is done when this returns."""
        self.clock.advance(seconds)
        self.store.write([Setting(CLOCK_OFFSET, repr(self.clock.offset))])
        self.kernel.expire()
        self.save()  # also where no job changed: a delivery may be due
        await self.saved()

    async def reset(self) -> None:
        """Forget everything but the ready agent, its key and its account; the clock is right again.

        Faults are removed, and the account has its first balance.
        """
        await self.saved()
        await self.sender.close()
        self.store.clear()
        self.faults.set([])
        self.clock.offset = 0.0
        self._load()
        old = self.ready_agent
        self.kernel.found_account(old.account_id, OWNER, STARTING_BALANCE)
        self.ready_agent = self.kernel.agents.adopt(
            replace(old, handler_set=[], registered_at=None)
        )
        await self.saved()

    async def close(self) -> None:
        """Let the waiters go and close the database."""
        self.waiters.close()
        await self.sender.close()
        if self._timer is not None:
            self._timer.cancel()
        self._commit()
        self.store.close()

    # -- jobs ------------------------------------------------------------------------------------

    def find_job(self, job_id: str) -> Job | None:
        """A job, wherever it is, or None."""
        return self.kernel.jobs.board.jobs.get(job_id) or history.find_job(self.store, job_id)

    def require_job(self, job_id: str, agent: Agent | None = None) -> Job:
        """A job; with an agent, only if that one called it.

        Raises:
            Refusal: 404 ``kernel_job_not_found``, for another agent's job as for none.
        """
        job = self.find_job(job_id)
        if job is None or (agent is not None and job.agent_id != agent.id):
            raise Refusal(404, "kernel_job_not_found", "no such job")
        return job

    def require_run(self, job_id: str) -> Job:
        """A job that a worker says it holds.

        Raises:
            Refusal: 404 ``task_run_not_found``, also where there is no such job.
        """
        job = self.find_job(job_id)
        if job is None:
            raise Refusal(404, "task_run_not_found", "this agent does not hold the job")
        return job

    async def create_job(
        self,
        agent: Agent,
        capability_key: str,
        input_envelope: Json,
        *,
        idempotency_key: str | None = None,
        timeout_sec: int | None = None,
        channel_context: Json | None = None,
    ) -> tuple[Job, bool]:
        """Make a job, or find the one made before with this key.

        Returns:
            The job, and whether it is new.
        """
        job = None
        if idempotency_key is not None:
            job = self.kernel.jobs.board.repeated(agent.id, idempotency_key)
            job = job or history.find_repeated(self.store, agent.id, idempotency_key)
        is_new = job is None
        if job is None:
            job = self.kernel.create_job(
                agent,
                capability_key,
                input_envelope,
                idempotency_key=idempotency_key,
                timeout_sec=timeout_sec,
                channel_context=channel_context,
            )
        await self.saved()
        return job, is_new

    async def wait_for_job(self, job: Job, seconds: float, gone: asyncio.Future[Any]) -> None:
        """Return when the job has ended, after so many seconds, or when the client is gone."""
        if not job.terminal:
            with self.waiters.waiting([job.id]) as woken:
                await asyncio.wait({woken, gone}, timeout=seconds, return_when="FIRST_COMPLETED")

    async def wait_for_offer(
        self, agent: Agent, capability_key: str | None, seconds: float, gone: asyncio.Future[Any]
    ) -> None:
        """Return when a job may be on offer, after so many seconds, or when the client is gone."""
        topics = agent.handler_set if capability_key is None else [capability_key]
        with self.waiters.waiting(topics) as woken:
            await asyncio.wait({woken, gone}, timeout=seconds, return_when="FIRST_COMPLETED")

    # -- people and keys -------------------------------------------------------------------------

    async def create_agent(
        self, name: str, *, account_id: str | None = None, balance_nc: int = STARTING_BALANCE
    ) -> tuple[Agent, str]:
        """Add an agent, in an account of its own unless one is given; returns it and its key."""
        if account_id is None:
            account_id = self.kernel.open_account(name, balance_nc).id
        created = self.kernel.create_agent(account_id, name)
        await self.saved()
        return created

    async def prepare_ready_agent(self, stored_key: str | None) -> str:
        """See that there is an agent to start with.

        Args:
            stored_key: its key from an earlier start.

        Returns:
            Its key: the stored one while that is valid, else a new one.
        """
        agent = self.kernel.agents.authenticate(stored_key) if stored_key else None
        if agent is not None and stored_key is not None:
            self.ready_agent, api_key = agent, stored_key
        else:
            self.ready_agent, api_key = await self.create_agent(
                "ready", account_id=self._owner().id
            )
        return api_key

    def _owner(self) -> Account:
        accounts = self.kernel.ledger.accounts.values()
        found = next((account for account in accounts if account.name == OWNER), None)
        return found or self.kernel.open_account(OWNER, STARTING_BALANCE)

    async def start_login(self, client_name: str) -> tuple[DeviceLogin, str]:
        """Begin a device login; returns it and its device code."""
        device_code = new_id("device")
        # without vowels and look-alikes: no words, no misreading (RFC 8628, 6.1)
        letters = [secrets.choice("BCDFGHJKLMNPQRSTVWXZ") for _ in range(4)]
        digits = [secrets.choice("23456789") for _ in range(4)]
        user_code = "".join(letters) + "-" + "".join(digits)
        login = self.kernel.logins.start(device_code, user_code, client_name, self.clock())
        await self.saved()
        return login, device_code

    async def finish_login(self, device_code: str) -> tuple[Agent, str]:
        """The agent and key of an approved login; see ``Logins.poll``."""
        login = self.kernel.logins.poll(device_code, self.clock())
        return await self.create_agent(login.client_name, account_id=self.ready_agent.account_id)
