"""Agents, their keys and their handler sets."""

import hashlib
from collections.abc import Callable, Iterable

from .errors import Refusal
from .records import Agent

SEEN_INTERVAL = 1.0
"""Minimum seconds between two updates of when a worker was seen, since each is a write."""


def key_hash(api_key: str) -> str:
    """Return the SHA-256 with which a secret is stored.

    Keys have 192 random bits, so no salt is needed.
    """
    return hashlib.sha256(api_key.encode("utf-8", "surrogatepass")).hexdigest()


class Agents:
    """The agents by key and by id.

    Args:
        on_change: Called with every agent that changed.
    """

    def __init__(self, on_change: Callable[[Agent], None]) -> None:
        self._on_change = on_change
        self._by_hash: dict[str, Agent] = {}
        self.by_id: dict[str, Agent] = {}

    def restore(self, agents: Iterable[Agent]) -> None:
        """Add stored agents."""
        for agent in agents:
            self._by_hash[agent.key_hash] = self.by_id[agent.id] = agent

    def adopt(self, agent: Agent) -> Agent:
        """Add an agent."""
        self.restore([agent])
        self._on_change(agent)
        return agent

    @property
    def active(self) -> list[Agent]:
        """The agents whose keys are not revoked."""
        return [agent for agent in self.by_id.values() if agent.revoked_at is None]

    def authenticate(self, api_key: str) -> Agent | None:
        """Return the agent of a key, or None if the key is unknown or revoked."""
        agent = self._by_hash.get(key_hash(api_key))
        return agent if agent is not None and agent.revoked_at is None else None

    def require(self, agent_id: str) -> Agent:
        """Return an agent by its id.

        Raises:
            Refusal: 404 ``agent_not_found``.
        """
        agent = self.by_id.get(agent_id)
        if agent is None:
            raise Refusal(404, "agent_not_found", "There is no such agent.")
        return agent

    def rename(self, agent: Agent, name: str) -> None:
        """Rename an agent."""
        agent.name = name
        self._on_change(agent)

    def revoke(self, agent_id: str, now: float) -> Agent:
        """Revoke an agent's key.

        Raises:
            Refusal: 404 ``agent_not_found``.
        """
        agent = self.require(agent_id)
        if agent.revoked_at is None:
            agent.revoked_at = now
            self._on_change(agent)
        return agent

    def register(self, agent: Agent, capability_keys: Iterable[str], now: float) -> None:
        """Add to the capabilities that this worker handles."""
        agent.handler_set = list(dict.fromkeys((*agent.handler_set, *capability_keys)))
        agent.registered_at = now
        agent.last_seen_at = now
        self._on_change(agent)

    def require_worker(self, agent: Agent, now: float) -> None:
        """Record that a worker was seen.

        Raises:
            Refusal: 403 ``worker_not_enabled``, if it has not registered.
        """
        if not agent.handler_set:
            raise Refusal(
                403,
                "worker_not_enabled",
                "This agent has not registered any capability.",
                hint="POST /kernel-agents/me/capabilities first",
            )
        self.note_seen(agent, now)

    def note_seen(self, agent: Agent, now: float) -> None:
        """Record that a worker was seen."""
        if agent.last_seen_at is None or now - agent.last_seen_at >= SEEN_INTERVAL:
            agent.last_seen_at = now
            self._on_change(agent)

    def require_capability(self, agent: Agent, capability_key: str) -> None:
        """Refuse a capability outside the worker's handler set.

        Raises:
            Refusal: 403 ``capability_not_in_handler_set``.
        """
        if capability_key not in agent.handler_set:
            raise Refusal(
                403,
                "capability_not_in_handler_set",
                f"{capability_key} is not in this worker's handler set.",
                capability_key=capability_key,
            )
