"""What the kernel remembers. Times are seconds since the epoch, money is whole nc."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

TERMINAL = frozenset({"succeeded", "failed", "cancelled", "expired"})


@dataclass(slots=True)
class Account:
    """Who pays and is paid. The issuer's balance is what it handed out, as a negative number."""

    id: str
    name: str
    available_nc: int = 0
    held_nc: int = 0


@dataclass(slots=True)
class Transfer:
    """One movement of money. ``grant``, ``hold``, ``release`` and ``pay`` are its kinds."""

    id: str
    at: float
    kind: str
    amount_nc: int
    payer_id: str
    payee_id: str
    job_id: str | None


@dataclass(slots=True)
class Agent:
    """A key holder. Only the SHA-256 of its key is kept, and its last characters for display."""

    id: str
    account_id: str
    name: str
    key_hash: str
    key_hint: str
    created_at: float
    revoked_at: float | None = None
    handler_set: list[str] = field(default_factory=list)
    registered_at: float | None = None
    last_seen_at: float | None = None


@dataclass(slots=True)
class DeviceLogin:
    """One device authorization (RFC 8628), from the code to the key."""

    device_code_hash: str
    user_code: str
    client_name: str
    expires_at: float
    interval: int
    last_poll_at: float | None = None
    status: str = "pending"


@dataclass(slots=True)
class Attempt:
    """One award of a job to a worker: its lease, and how it ended."""

    job_id: str
    number: int
    task_run_id: str
    agent_id: str
    started_at: float
    lease_expires_at: float
    status: str = "running"
    ended_at: float | None = None
    beats: int = 0
    rejections: int = 0


@dataclass(slots=True)
class Event:
    """One step in a job's life."""

    id: str
    job_id: str
    number: int
    event_type: str
    created_at: float
    payload: Json


@dataclass(slots=True)
class Payload:
    """A job's ``input``, ``context``, ``output`` or ``artifacts``: large, and written only once."""

    job_id: str
    kind: str
    body: Json | list[Json]


@dataclass(slots=True)
class Job:
    """A kernel job with its history."""

    id: str
    number: int
    agent_id: str
    account_id: str
    capability_key: str
    capability_spec_id: str
    price_nc: int
    input_envelope: Json
    channel_context: Json | None
    idempotency_key: str | None
    timeout_sec: int
    created_at: float
    expires_at: float
    bid_expires_at: float
    status: str = "bidding"
    payout_nc: int | None = None
    output_envelope: Json | None = None
    error_code: str | None = None
    error_message: str | None = None
    completed_at: float | None = None
    attempts: list[Attempt] = field(default_factory=list)
    artifacts: list[Json] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    @property
    def terminal(self) -> bool:
        """Whether the job has ended."""
        return self.status in TERMINAL

    @property
    def lease(self) -> Attempt | None:
        """The attempt that holds the job, if one does."""
        return self.attempts[-1] if self.status == "running" else None

    @property
    def deadline(self) -> float:
        """When time, if nothing else, changes the job: its lease, bid window or timeout ends."""
        lease = self.lease
        return min(self.expires_at, lease.lease_expires_at if lease else self.bid_expires_at)


Record: TypeAlias = Account | Transfer | Agent | DeviceLogin | Attempt | Event | Payload | Job
