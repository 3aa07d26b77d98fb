"""What the platform's refusals mean to a worker, as exceptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaojiyuyan_core.errors import (
    BidRejected,
    CapabilityNotRegistered,
    HebingAPIError,
    HebingError,
    LeaseExpired,
    SubmitValidationFailed,
    TaskRunNotFound,
    WorkerNotEnabled,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

BID_CLOSED = frozenset(
    {"already_awarded", "not_in_bidding", "bid_window_expired", "attempt_exhausted"}
)


def refusal(error: HebingAPIError, job_id: str = "") -> HebingError:
    """Return the worker's exception for an error of the API; the error itself if there is none.

    :param job_id: the job that the call was about.
    """
    code, fields = error.code, error.fields
    if code == "worker_not_enabled":
        hint = fields.get("hint")
        return WorkerNotEnabled(f"{error.detail} ({hint})" if hint else error.detail)
    if code == "capability_not_in_handler_set":
        return CapabilityNotRegistered(str(fields.get("capability_key", "")))
    if code in BID_CLOSED:
        return bid_rejected(job_id, fields, code)
    if code == "task_run_not_found":
        return TaskRunNotFound(job_id)
    if code == "lease_expired":
        return LeaseExpired(job_id)
    if code == "validation_failed":
        return SubmitValidationFailed(job_id, validation_errors(fields) or [error.detail])
    return error


def run_refusal(error: HebingAPIError, job_id: str) -> HebingError:
    """Likewise for a heartbeat or a submit, where the status alone tells too."""
    refused = refusal(error, job_id)
    if refused is not error:
        return refused
    if error.status_code == 404:
        return TaskRunNotFound(job_id)
    if error.status_code == 410:
        return LeaseExpired(job_id)
    if error.status_code == 422:
        return SubmitValidationFailed(job_id, [error.detail])
    return error


def bid_rejected(job_id: str, fields: Mapping[str, object], code: str | None = None) -> BidRejected:
    """Return the exception for a bid that was answered, but not accepted."""
    awarded_to = fields.get("awarded_to_agent_id")
    return BidRejected(
        job_id,
        code or str(fields.get("code", "refused")),
        awarded_to_agent_id=awarded_to if isinstance(awarded_to, str) else None,
    )


def validation_errors(fields: Mapping[str, object]) -> list[str]:
    """Return what was wrong with an output, a text each."""
    found = fields.get("validation_errors")
    return [str(error) for error in found] if isinstance(found, list) else []
