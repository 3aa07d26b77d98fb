"""The API's JSON of the records. Its OpenAPI document is generated from these types."""

from datetime import datetime, timezone
from typing import Any, TypeVar, cast

from typing_extensions import TypedDict

from .catalog import Spec
from .records import Attempt, Event, Job

Json = dict[str, Any]
_ViewT = TypeVar("_ViewT")


class JobSummary(TypedDict):
    """A job in a list and in the response to a call."""

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
    """A job with all fields that its caller may see."""

    input_envelope: Json
    channel_context: Json | None
    output_envelope: Json | None
    attempts: list[AttemptView]
    artifacts: list[Json]


class EventView(TypedDict):
    """One event of a job."""

    id: str
    event_type: str
    created_at: str
    payload: Json


class OfferView(TypedDict):
    """A job that is offered to a worker."""

    job_id: str
    capability_key: str
    input_envelope: Json
    channel_context: Json | None
    max_budget_nc: int
    bid_expires_at: str


class SpecView(TypedDict):
    """A capability in the catalog."""

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


def _show(record: object, view: type[_ViewT]) -> _ViewT:
    # A view has its record's fields, with times as ISO 8601.
    shown = {name: getattr(record, name) for name in view.__annotations__}
    for name, value in shown.items():
        if name.endswith("_at") and value is not None:
            shown[name] = timestamp(value)
    return cast("_ViewT", shown)


def view_summary(job: Job) -> JobSummary:
    """Return a job without its parts."""
    return _show(job, JobSummary)


def view_job(job: Job) -> JobView:
    """Return a job with all its parts."""
    return {**_show(job, JobView), "attempts": [view_attempt(each) for each in job.attempts]}


def view_attempt(attempt: Attempt) -> AttemptView:
    """Return one attempt of a job."""
    return _show(attempt, AttemptView)


def view_event(job: Job, event: Event) -> EventView:
    """Return one event of a job. Its id is derived from the job's, so it is not stored."""
    return {
        "id": f"evt_{job.id.removeprefix('job_')}_{event.number}",
        "event_type": event.event_type,
        "created_at": timestamp(event.created_at),
        "payload": event.payload,
    }


def view_offer(job: Job) -> OfferView:
    """Return an offered job."""
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
    return _show(spec, SpecView)
