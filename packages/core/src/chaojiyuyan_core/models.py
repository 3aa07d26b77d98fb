"""Types of the API's objects. The server may add members and leave out optional ones."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

JsonObject = dict[str, Any]
"""A JSON object whose members depend on the capability."""

TERMINAL_JOB_STATUSES = frozenset({"succeeded", "failed", "cancelled", "expired"})
"""The statuses of an ended job. All other statuses, including unknown ones, are not terminal."""


JobStatus = Literal["queued", "bidding", "running", "succeeded", "failed", "cancelled", "expired"]
"""The known statuses of a job, for type checkers. The server may send other strings."""

UNTAKEN_JOB_STATUSES = frozenset({"queued", "bidding"})
"""The statuses of a job that no worker has taken yet."""


class _ArtifactRequired(TypedDict):
    artifact_uri: str


class Artifact(_ArtifactRequired, total=False):
    """A file of a job; ``size_bytes`` is in bytes, ``mime`` is the older name of ``mime_type``."""

    id: str
    kind: str
    mime_type: str
    mime: str
    size_bytes: int
    meta: JsonObject


class _JobRequired(TypedDict):
    id: str
    status: JobStatus
    capability_key: str


class JobData(_JobRequired, total=False):
    """A job as its caller sees it; ``price_nc`` is in whole nc, times are ISO 8601 in UTC."""

    capability_spec_id: str
    price_nc: int
    input_envelope: JsonObject
    output_envelope: JsonObject | None
    attempts: list[JsonObject]
    artifacts: list[Artifact]
    created_at: str
    completed_at: str | None
    error_code: str | None
    error_message: str | None


class JobEvent(TypedDict):
    """One event of a job; ``created_at`` is ISO 8601 in UTC."""

    id: str
    event_type: str
    created_at: str
    payload: JsonObject


class _CapabilityRequired(TypedDict):
    capability_key: str
    name: str
    category: str
    price_nc: int
    input_mode: str
    output_mode: str


class CapabilitySpec(_CapabilityRequired, total=False):
    """An entry of the catalog; ``price_nc`` is in whole nc, the schemas are JSON Schema."""

    description: str
    input_schema: JsonObject
    output_schema: JsonObject


class _TaskRequired(TypedDict):
    job_id: str
    capability_key: str


class TaskInfo(_TaskRequired, total=False):
    """An offer of a job to workers; ``max_budget_nc`` is in whole nc."""

    input_envelope: JsonObject
    max_budget_nc: int
    bid_expires_at: str


class _BidRequired(TypedDict):
    accepted: bool


class BidResult(_BidRequired, total=False):
    """The response to a bid: an award with its lease, or the code of the refusal."""

    task_run_id: str
    lease_expires_at: str
    code: str
    awarded_to_agent_id: str


class LeaseInfo(TypedDict, total=False):
    """The response to a heartbeat."""

    lease_expires_at: str


class SubmitResult(TypedDict, total=False):
    """The response to a submit; ``payout_nc`` is in whole nc."""

    settled: bool
    payout_nc: int
    job_status: str
    code: str
    validation_errors: list[str]


class Registration(TypedDict):
    """The response to a registration: the registered keys, and the keys that do not exist."""

    registered: list[str]
    skipped_unknown: list[str]


class _DeviceCodeRequired(TypedDict):
    device_code: str
    user_code: str
    verification_url: str


class DeviceCode(_DeviceCodeRequired, total=False):
    """A device login that waits for approval; ``expires_in`` and ``interval`` are in seconds."""

    verification_url_complete: str
    expires_in: float
    interval: float


class _DeviceTokenRequired(TypedDict):
    api_key: str


class DeviceToken(_DeviceTokenRequired, total=False):
    """The result of an approved device login."""

    account_id: str
