"""The whole platform as a pure state machine: no I/O, the clock and the ids handed in."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from .agents import Agents
from .errors import Refusal
from .jobs import Jobs, Rules
from .ledger import Ledger
from .logins import Logins
from .records import Account, Agent, Attempt, Job, Json, Record
from .webhooks import Delivery, Webhook, Webhooks
from .wire import job_view, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaojiyuyan_devserver.catalog import Catalog, Spec

Change: TypeAlias = "Record | Webhook | Delivery"


class Kernel:
    """Agents, jobs, money and webhooks; every operation is one step from one state to the next.

    Args:
        catalog: the capability specs.
        rules: lease length and other limits.
        clock: gives the time, seconds since the epoch.
        new_id: makes an id that starts with the given prefix.
    """

    def __init__(
        self,
        catalog: Catalog,
        rules: Rules,
        clock: Callable[[], float],
        new_id: Callable[[str], str],
    ) -> None:
        self.catalog = catalog
        self.clock = clock
        self.new_id = new_id
        self.ledger = Ledger(self._changed)
        self.agents = Agents(self._changed)
        self.logins = Logins(self._changed)
        self.webhooks = Webhooks(new_id, self._changed)
        self.jobs = Jobs(rules, self.ledger, new_id, self._job_changed)
        self._dirty: dict[int, Change] = {}

    def take_changes(self) -> list[Change]:
        """The records changed since the last call, each once, by their first change."""
        changes = list(self._dirty.values())
        self._dirty = {}
        return changes

    @property
    def has_changes(self) -> bool:
        """Whether ``take_changes`` has something to give."""
        return bool(self._dirty)

    def open_account(self, name: str, balance_nc: int) -> Account:
        """Open an account with money in it."""
        return self.found_account(self.new_id("acc"), name, balance_nc)

    def found_account(self, account_id: str, name: str, balance_nc: int) -> Account:
        """Open an account of this id with money in it."""
        account = self.ledger.open(account_id, name)
        self.ledger.grant(self.new_id("trf"), self.clock(), account.id, balance_nc)
        return account

    def create_agent(self, account_id: str, name: str) -> tuple[Agent, str]:
        """Add an agent; returns it with its key, which is not kept."""
        api_key = self.new_id("nxt_ag")
        return self.agents.create(
            self.new_id("agt"), account_id, name, api_key, self.clock()
        ), api_key

    def spec(self, capability_key: str) -> Spec:
        """The spec of a capability.

        Raises:
            Refusal: 400 ``unknown_capability``.
        """
        spec = self.catalog.get(capability_key)
        if spec is None:
            raise Refusal(400, "unknown_capability", f"unknown capability: {capability_key}")
        return spec

    def create_job(
        self,
        agent: Agent,
        capability_key: str,
        input_envelope: Json,
        *,
        idempotency_key: str | None = None,
        timeout_sec: int | None = None,
        channel_context: Json | None = None,
    ) -> Job:
        """Make a job; see ``Jobs.create``. The caller has looked for a repeat before."""
        return self.jobs.create(
            agent,
            self.spec(capability_key),
            input_envelope,
            self.clock(),
            idempotency_key=idempotency_key,
            timeout_sec=timeout_sec,
            channel_context=channel_context,
        )

    def register(self, agent: Agent, capability_keys: list[str]) -> tuple[list[str], list[str]]:
        """Register a worker's capabilities; returns those in the catalog, and the others."""
        known = [key for key in capability_keys if self.catalog.get(key) is not None]
        self.agents.register(agent, known, self.clock())
        return known, [key for key in capability_keys if key not in known]

    def available(self, agent: Agent, capability_key: str | None, limit: int) -> list[Job]:
        """What this worker could bid for, oldest first; nothing outside its handler set.

        Raises:
            Refusal: 403 ``worker_not_enabled``.
        """
        self.agents.require_worker(agent, self.clock())
        keys = [key for key in agent.handler_set if capability_key in (None, key)]
        return self.jobs.board.offered(keys, limit)

    def bid(self, agent: Agent, job: Job) -> Attempt:
        """Bid for a job; see ``Jobs.bid``.

        Raises:
            Refusal: also 403 ``worker_not_enabled`` or ``capability_not_in_handler_set``.
        """
        now = self.expire()
        self.agents.require_worker(agent, now)
        self.agents.require_capability(agent, job.capability_key)
        return self.jobs.bid(job, agent, now)

    def beat(self, agent: Agent, job: Job) -> Attempt:
        """A heartbeat; see ``Jobs.beat``."""
        now = self.expire()
        self.agents.seen(agent, now)
        return self.jobs.beat(job, agent, now)

    def submit(
        self,
        agent: Agent,
        job: Job,
        output: Json,
        artifacts: list[Json],
        published: Json | None = None,
    ) -> None:
        """A result; see ``Jobs.submit``."""
        now = self.expire()
        self.agents.seen(agent, now)
        spec = self.catalog.get(job.capability_key)
        self.jobs.submit(job, agent, spec, output, artifacts, now, published)

    def settle(self, job: Job, output: Json, artifacts: list[Json]) -> None:
        """Let a job succeed with any output, for whoever holds it, or else for its caller."""
        now = self.expire()
        worker = self.agents.by_id[job.lease.agent_id if job.lease else job.agent_id]
        if job.lease is None:
            self.jobs.bid(job, worker, now)
        self.jobs.submit(job, worker, None, output, artifacts, now)

    def expire(self) -> float:
        """Do what time has brought about; returns the time."""
        now = self.clock()
        self.jobs.expire(now)
        return now

    def _changed(self, record: Change) -> None:
        self._dirty[id(record)] = record

    def _job_changed(self, record: Record) -> None:
        self._changed(record)
        if isinstance(record, Job) and record.terminal:
            self.webhooks.announce(
                record.account_id,
                f"job.{record.status}",
                job_view(record),
                self.clock(),
                timestamp(self.clock()),
            )
