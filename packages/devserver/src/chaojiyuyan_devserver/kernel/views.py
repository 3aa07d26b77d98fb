"""Records as the API shows them. The types here are also what its OpenAPI document says."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import TypedDict

from .catalog import spec_id

if TYPE_CHECKING:
    from .catalog import Spec
    from .records import Attempt, Event, Job

Json = dict[str, Any]


class JobSummary(TypedDict):
    """A job as the list and the answer to a call show it."""

    id: str
    status: str
    capability_key: str
    capability_spec_id: str
    price_nc: int
    payout_nc: int | None
    idempotency_key: str | None
    timeout_sec: int
    created_at: str
    expires_at: str
    completed_at: str | None
    error_code: str | None
    error_message: str | None


class AttemptView(TypedDict):
    """One award of a job to a worker."""

    number: int
    task_run_id: str
    agent_id: str
    status: str
    started_at: str
    ended_at: str | None
    lease_expires_at: str
    heartbeats: int
    rejections: int


class JobView(JobSummary):
    """A job with everything that its caller may see."""

    input_envelope: Json
    channel_context: Json | None
    output_envelope: Json | None
    attempts: list[AttemptView]
    artifacts: list[Json]


class EventView(TypedDict):
    """One step in a job's life."""

    id: str
    event_type: str
    created_at: str
    payload: Json


class OfferView(TypedDict):
    """A job as a worker is offered it."""

    job_id: str
    capability_key: str
    input_envelope: Json
    channel_context: Json | None
    max_budget_nc: int
    bid_expires_at: str


class SpecView(TypedDict):
    """A capability as the catalog lists it."""

    id: str
    capability_key: str
    name: str
    category: str
    description: str
    price_nc: int
    input_mode: str
    output_mode: str
    input_schema: Json
    output_schema: Json


def timestamp(seconds: float) -> str:
    """Return a moment as ISO 8601 in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _maybe(seconds: float | None) -> str | None:
    return None if seconds is None else timestamp(seconds)


def view_summary(job: Job) -> JobSummary:
    """Return a job without its parts."""
    return {
        "id": job.id,
        "status": job.status,
        "capability_key": job.capability_key,
        "capability_spec_id": spec_id(job.capability_key),
        "price_nc": job.price_nc,
        "payout_nc": job.payout_nc,
        "idempotency_key": job.idempotency_key,
        "timeout_sec": job.timeout_sec,
        "created_at": timestamp(job.created_at),
        "expires_at": timestamp(job.expires_at),
        "completed_at": _maybe(job.completed_at),
        "error_code": job.error_code,
        "error_message": job.error_message,
    }


def view_job(job: Job) -> JobView:
    """Return a job with all its parts."""
    return {
        **view_summary(job),
        "input_envelope": job.input_envelope,
        "channel_context": job.channel_context,
        "output_envelope": job.output_envelope,
        "attempts": [view_attempt(attempt) for attempt in job.attempts],
        "artifacts": job.artifacts,
    }


def view_attempt(attempt: Attempt) -> AttemptView:
    """Return one attempt of a job."""
    return {
        "number": attempt.number,
        "task_run_id": attempt.task_run_id,
        "agent_id": attempt.agent_id,
        "status": attempt.status,
        "started_at": timestamp(attempt.started_at),
        "ended_at": _maybe(attempt.ended_at),
        "lease_expires_at": timestamp(attempt.lease_expires_at),
        "heartbeats": attempt.heartbeats,
        "rejections": attempt.rejections,
    }


def view_event(job: Job, event: Event) -> EventView:
    """Return one event of a job; its id is made from the job's, so that it need not be stored."""
    return {
        "id": f"evt_{job.id.removeprefix('job_')}_{event.number}",
        "event_type": event.event_type,
        "created_at": timestamp(event.created_at),
        "payload": event.payload,
    }


def view_offer(job: Job) -> OfferView:
    """Return a job on offer."""
    return {
        "job_id": job.id,
        "capability_key": job.capability_key,
        "input_envelope": job.input_envelope,
        "channel_context": job.channel_context,
        "max_budget_nc": job.price_nc,
        "bid_expires_at": timestamp(job.bid_expires_at),
    }


def view_spec(spec: Spec) -> SpecView:
    """Return a capability."""
    view = {name: getattr(spec, name) for name in SpecView.__annotations__}
    return cast("SpecView", view)
