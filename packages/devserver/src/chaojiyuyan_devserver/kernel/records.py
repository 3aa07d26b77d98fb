"""The kernel's records. Times are seconds since the epoch, amounts whole nc."""

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from .catalog import spec_id

Json: TypeAlias = dict[str, Any]

TERMINAL_STATUSES = ("succeeded", "failed", "cancelled", "expired")
OPEN_STATUSES = ("bidding", "running")


@dataclass(frozen=True, slots=True)
class Order:
    """A caller's order: ``POST /kernel-jobs``.

    Attributes:
        capability_key: The capability to call.
        input_envelope: The input.
        idempotency_key: A repeated order with the same key returns the first job; None for none.
        timeout_sec: The job's timeout in seconds, from its creation; None for the default.
        channel_context: The caller's own data, returned with the job.
    """

    capability_key: str
    input_envelope: Json = field(default_factory=dict)
    idempotency_key: str | None = None
    timeout_sec: int | None = None
    channel_context: Json | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A worker's result: ``POST /kernel-jobs/{id}/submit``.

    Attributes:
        output_envelope: The output.
        artifacts: The artifacts.
        published: The licence and tags with which the artifacts are published; None if they
            are not.
    """

    output_envelope: Json
    artifacts: list[Json] = field(default_factory=list)
    published: Json | None = None


@dataclass(slots=True)
class Account:
    """An account. The issuer's balance is the sum of its grants, as a negative number."""

    id: str
    name: str
    available_nc: int = 0
    held_nc: int = 0


@dataclass(slots=True)
class Transfer:
    """One transfer of money.

    Attributes:
        at: The time.
        kind: ``grant``, ``hold``, ``release`` or ``pay``.
        amount_nc: The amount.
        payer_id: The id of the account that pays.
        payee_id: The id of the account that receives.
        job: The job's number; None for a grant.
    """

    at: float
    kind: str
    amount_nc: int
    payer_id: str
    payee_id: str
    job: int | None


@dataclass(slots=True)
class Agent:
    """An agent. Of its key, only the SHA-256 and the last characters, for display, are stored."""

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
    """One award of a job to a worker: its lease, and how it ended.

    ``job`` is the job's number. ``status`` is ``running``, or the reason why the attempt ended.
    """

    job: int
    number: int
    task_run_id: str
    agent_id: str
    started_at: float
    lease_expires_at: float
    status: str = "running"
    ended_at: float | None = None
    heartbeats: int = 0
    rejections: int = 0


@dataclass(slots=True)
class Event:
    """One event of the job with the number ``job``."""

    job: int
    number: int
    event_type: str
    created_at: float
    payload: Json


@dataclass(slots=True)
class Payload:
    """A job's ``input``, ``context``, ``output`` or ``artifacts``: large, and written only once."""

    job: int
    kind: str
    body: Json | list[Json]


@dataclass(slots=True)
class Strike:
    """A fault that was applied to a request about the job with the number ``job``."""

    job: int
    at: float
    endpoint: str
    fault: str


@dataclass(slots=True)
class Webhook:
    """An account's URL for events, and the secrets that sign them."""

    account_id: str
    url: str
    secret: str
    previous_secret: str | None = None
    previous_expires_at: float | None = None


@dataclass(slots=True)
class Delivery:
    """The delivery of one event to an endpoint.

    ``status`` is ``pending``, ``delivered``, ``failed``, or ``held`` if it was pending in a loaded
    snapshot and is not sent. ``tries`` has the time, HTTP status and error of each try.
    """

    id: str
    account_id: str
    job_id: str
    event: str
    url: str
    body: str
    created_at: float
    next_try_at: float | None
    status: str = "pending"
    tries: list[Json] = field(default_factory=list)


@dataclass(slots=True)
class Job:
    """A kernel job with its history. ``number`` counts the jobs of a kernel from 1."""

    number: int
    id: str
    agent_id: str
    account_id: str
    capability_key: str
    price_nc: int
    idempotency_key: str | None
    timeout_sec: int
    created_at: float
    expires_at: float
    bid_expires_at: float
    status: str = "bidding"
    payout_nc: int | None = None
    error_code: str | None = None
    error_message: str | None = None
    completed_at: float | None = None
    input_envelope: Json = field(default_factory=dict)
    channel_context: Json | None = None
    output_envelope: Json | None = None
    attempts: list[Attempt] = field(default_factory=list)
    artifacts: list[Json] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    @property
    def capability_spec_id(self) -> str:
        """The id of the capability's spec."""
        return spec_id(self.capability_key)

    @property
    def terminal(self) -> bool:
        """Whether the job has ended."""
        return self.status in TERMINAL_STATUSES

    @property
    def lease(self) -> Attempt | None:
        """The running attempt, or None."""
        return self.attempts[-1] if self.status == "running" else None

    @property
    def deadline(self) -> float:
        """The job's next deadline: the end of its lease, bid window or timeout."""
        lease = self.lease
        return min(self.expires_at, lease.lease_expires_at if lease else self.bid_expires_at)


Record: TypeAlias = (
    Account
    | Transfer
    | Agent
    | DeviceLogin
    | Attempt
    | Event
    | Payload
    | Strike
    | Webhook
    | Delivery
    | Job
)
