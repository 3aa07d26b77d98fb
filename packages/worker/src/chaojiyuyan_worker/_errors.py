"""Convert refusals of the platform to the exceptions of a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaojiyuyan_core.answers import CLOSED_BID_CODES
from chaojiyuyan_core.errors import (
    BidRejected,
    CapabilityNotRegistered,
    HebingAPIError,
    LeaseExpired,
    SubmitValidationFailed,
    TaskRunNotFound,
    WorkerNotEnabled,
)
from chaojiyuyan_core.submission import SubmitOutcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chaojiyuyan_core.submission import Submission


def explain(error: Exception, job_id: str = "") -> Exception:
    """Return the worker's exception for an API error, or the error itself when there is none.

    Args:
        error: The error.
        job_id: The id of the job of the call.
    """
    if not isinstance(error, HebingAPIError):
        return error
    code, fields = error.code, error.fields
    if code == "worker_not_enabled":
        hint = fields.get("hint")
        return WorkerNotEnabled(f"{error.detail} ({hint})" if hint else error.detail)
    if code == "capability_not_in_handler_set":
        return CapabilityNotRegistered(str(fields.get("capability_key", "")))
    if code in CLOSED_BID_CODES:
        return explain_refused_bid(job_id, fields, code)
    return error


def explain_refused_bid(
    job_id: str, fields: Mapping[str, object], code: str | None = None
) -> BidRejected:
    """Return the exception for a refused bid.

    Args:
        job_id: The id of the job.
        fields: The members of the response.
        code: The error code, or None to use the code among the members.
    """
    awarded_to = fields.get("awarded_to_agent_id")
    return BidRejected(
        job_id,
        code or str(fields.get("code", "refused")),
        awarded_to_agent_id=awarded_to if isinstance(awarded_to, str) else None,
    )


def explain_lost_lease(
    job_id: str, error: Exception | None, *, may_be_settled: bool = False
) -> TaskRunNotFound | LeaseExpired:
    """Return the exception for a job that no longer belongs to this worker.

    Args:
        job_id: The id of the job.
        error: The error of the platform, or None when the deadline of the lease has passed.
        may_be_settled: Whether a submit without an answer may have settled the job.
    """
    expired = error is None or getattr(error, "code", None) == "lease_expired"
    kind = LeaseExpired if expired else TaskRunNotFound
    return kind(job_id, may_be_settled=may_be_settled)


def explain_submission(job_id: str, ended: Submission) -> Exception:
    """Return the exception for a submit that did not settle its job.

    Args:
        job_id: The id of the job.
        ended: The result of the submit.
    """
    if ended.refusal is not None:
        return SubmitValidationFailed(job_id, ended.refusal.validation_errors)
    if ended.outcome is SubmitOutcome.GIVEN_UP and ended.error is not None:
        return explain(ended.error, job_id)
    said = ended.error if ended.is_gone else None
    return explain_lost_lease(job_id, said, may_be_settled=ended.may_be_settled)
