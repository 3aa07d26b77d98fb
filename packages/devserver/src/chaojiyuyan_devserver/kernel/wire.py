"""Records as the API shows them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chaojiyuyan_devserver.catalog import Spec

    from .records import Attempt, Event, Job, Json


def timestamp(seconds: float) -> str:
    """ISO 8601 in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _maybe(seconds: float | None) -> str | None:
    return None if seconds is None else timestamp(seconds)


def summary_view(job: Job) -> Json:
    """A job as the list and the answer to a call show it."""
    return {
        "id": job.id,
        "status": job.status,
        "capability_key": job.capability_key,
        "capability_spec_id": job.capability_spec_id,
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


def job_view(job: Job) -> Json:
    """A job with everything that its caller may see."""
    return {
        **summary_view(job),
        "input_envelope": job.input_envelope,
        "channel_context": job.channel_context,
        "output_envelope": job.output_envelope,
        "attempts": [attempt_view(attempt) for attempt in job.attempts],
        "artifacts": job.artifacts,
    }


def attempt_view(attempt: Attempt) -> Json:
    """One attempt of a job."""
    return {
        "number": attempt.number,
        "task_run_id": attempt.task_run_id,
        "agent_id": attempt.agent_id,
        "status": attempt.status,
        "started_at": timestamp(attempt.started_at),
        "ended_at": _maybe(attempt.ended_at),
        "lease_expires_at": timestamp(attempt.lease_expires_at),
        "heartbeats": attempt.beats,
        "rejections": attempt.rejections,
    }


def event_view(event: Event) -> Json:
    """One event of a job."""
    return {
        "id": event.id,
        "event_type": event.event_type,
        "created_at": timestamp(event.created_at),
        "payload": event.payload,
    }


def offer_view(job: Job) -> Json:
    """A job as a worker is offered it."""
    return {
        "job_id": job.id,
        "capability_key": job.capability_key,
        "input_envelope": job.input_envelope,
        "max_budget_nc": job.price_nc,
        "bid_expires_at": timestamp(job.bid_expires_at),
    }


def spec_view(spec: Spec) -> Json:
    """A capability as the catalog lists it."""
    return {
        "id": spec.id,
        "capability_key": spec.capability_key,
        "name": spec.name,
        "category": spec.category,
        "description": spec.description,
        "price_nc": spec.price_nc,
        "input_mode": spec.input_mode,
        "output_mode": spec.output_mode,
        "input_schema": spec.input_schema,
        "output_schema": spec.output_schema,
    }
