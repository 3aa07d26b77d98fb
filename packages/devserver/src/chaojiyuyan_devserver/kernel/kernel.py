"""The platform as a state machine without I/O; the clock and the ids are passed in."""

import copy
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from .agents import Agents, key_hash
from .catalog import Catalog
from .jobs import Jobs
from .ledger import Ledger
from .logins import Logins
from .records import Account, Agent, Delivery, DeviceLogin, Job, Record, Strike, Webhook
from .rules import Rules, World
from .webhooks import Webhooks


@dataclass(slots=True)
class State:
    """The state of a kernel: its records, without the jobs that have ended.

    Attributes:
        accounts: The accounts.
        agents: The agents.
        logins: The device logins in progress.
        webhooks: The webhook endpoints.
        deliveries: The webhook deliveries that are pending.
        jobs: The open jobs, oldest first.
        last_number: The number of the newest job, also if it has ended.
    """

    accounts: list[Account] = field(default_factory=list)
    agents: list[Agent] = field(default_factory=list)
    logins: list[DeviceLogin] = field(default_factory=list)
    webhooks: list[Webhook] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    last_number: int = 0


class Kernel:
    """Agents, jobs, money and webhooks. Each operation is one step from a state to the next.

    Args:
        catalog: The capability specs.
        rules: The limits.
        clock: Returns the time in seconds since the epoch.
        new_id: Returns an id or a secret with the given prefix; a counter by default.
    """

    def __init__(
        self,
        catalog: Catalog,
        rules: Rules | None = None,
        *,
        clock: Callable[[], float],
        new_id: Callable[[str], str] | None = None,
    ) -> None:
        self._world = world = World(
            catalog, rules or Rules(), clock, new_id or _count_ids(), self._note_change
        )
        self.catalog = catalog
        self.ledger = Ledger(world.on_change)
        self.agents = Agents(world.on_change)
        self.logins = Logins(world.on_change)
        self.webhooks = Webhooks(world)
        self.jobs = Jobs(world, self.agents, self.ledger, self.webhooks)
        self._changes: dict[int, Record] = {}

    def snapshot(self) -> State:
        """Return a copy of the state, without the jobs that have ended."""
        return copy.deepcopy(
            State(
                list(self.ledger.accounts.values()),
                list(self.agents.by_id.values()),
                list(self.logins.by_user_code.values()),
                list(self.webhooks.by_account.values()),
                list(self.webhooks.pending.values()),
                [job for job in self.jobs.board.jobs.values() if not job.terminal],
                self.jobs.last_number,
            )
        )

    def restore(self, state: State) -> None:
        """Load a state into a new kernel, which owns its records from now on.

        The kernel's clock must not be behind the clock of the state.
        """
        self.ledger.restore(state.accounts)
        self.agents.restore(state.agents)
        self.logins.restore(state.logins)
        self.webhooks.restore(state.webhooks, state.deliveries)
        self.jobs.restore(state.jobs, state.last_number)

    def take_changes(self) -> list[Record]:
        """Return the records that changed since the last call, in the order of first change."""
        changes = list(self._changes.values())
        self._changes = {}
        return changes

    @property
    def has_changes(self) -> bool:
        """Whether ``take_changes`` has records to return."""
        return bool(self._changes)

    def next_deadline(self) -> float | None:
        """Return the next deadline of a job or a webhook, or None."""
        deadlines = (self.jobs.board.next_deadline(), self.webhooks.next_deadline())
        return min((at for at in deadlines if at is not None), default=None)

    def open_account(self, name: str, balance_nc: int, account_id: str | None = None) -> Account:
        """Open an account with an initial grant from the issuer; by default with a new id."""
        account = self.ledger.open(account_id or self._world.new_id("acc"), name)
        self.ledger.grant(account.id, balance_nc, self._world.clock())
        return account

    def create_agent(self, account_id: str, name: str) -> tuple[Agent, str]:
        """Add an agent and return it with its key, which is not stored."""
        api_key = self._world.new_id("nxt_ag")
        agent_id, now = self._world.new_id("agt"), self._world.clock()
        agent = Agent(agent_id, account_id, name, key_hash(api_key), api_key[-4:], now)
        return self.agents.adopt(agent), api_key

    def register(self, agent: Agent, capability_keys: list[str]) -> tuple[list[str], list[str]]:
        """Register a worker's capabilities: ``POST /kernel-agents/me/capabilities``.

        Returns:
            The keys that are in the catalog, and those that are not.
        """
        known = [key for key in capability_keys if self.catalog.get(key) is not None]
        self.agents.register(agent, known, self._world.clock())
        return known, [key for key in capability_keys if key not in known]

    def note_strike(self, job: Job, endpoint: str, fault: str) -> None:
        """Record for a job's timeline that a fault was applied to a request about it."""
        self._note_change(Strike(job.number, self._world.clock(), endpoint, fault))

    def _note_change(self, record: Record) -> None:
        self._changes[id(record)] = record


def _count_ids() -> Callable[[str], str]:
    numbers = itertools.count(1)
    return lambda prefix: f"{prefix}_{next(numbers)}"
