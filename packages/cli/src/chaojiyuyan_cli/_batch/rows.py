"""Make the row of a line from the result of its job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chaojiyuyan_core.errors import (
    AuthenticationError,
    BudgetExceeded,
    HebingAPIError,
    InputInvalid,
    JobTimeout,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)
from chaojiyuyan_core.redaction import mask_keys

from .results import UNFINISHED, Row

if TYPE_CHECKING:
    from chaojiyuyan_client import Job

FAILED = "failed"
"""The status of a line whose job was not ordered or failed."""

_FATAL_CODES = frozenset({"unknown_capability", "insufficient_balance"})
_MAX_MESSAGE = 1000  # characters


def make_job_row(line: int, job: Job) -> Row:
    """Return the row of a line whose job has ended.

    Args:
        line: The number of the line.
        job: The job.
    """
    row: Row = {"line": line, "status": job.status}
    if job.succeeded:
        row["output"] = job.get("output_envelope")
    else:
        row["error"] = _make_error(job.error_code or job.status, job.error_message or "")
    return {**row, "job_id": job.id, "price_nc": job.price_nc}


def make_error_row(line: int, error: Exception) -> Row:
    """Return the row of a line whose job could not be ordered or has not ended.

    Args:
        line: The number of the line.
        error: The error that was raised for the line.
    """
    status = UNFINISHED if _is_unfinished(error) else FAILED
    job_id = error.job_id if isinstance(error, JobTimeout) else None
    error_object = _make_error(_name_error(error), str(error))
    return {
        "line": line,
        "status": status,
        "error": error_object,
        "job_id": job_id,
        "price_nc": None,
    }


def make_invalid_row(line: int, problem: str) -> Row:
    """Return the row of a line that is not a valid input.

    Args:
        line: The number of the line.
        problem: Why the line is invalid.
    """
    return {
        "line": line,
        "status": FAILED,
        "error": _make_error("invalid_input", problem),
        "job_id": None,
        "price_nc": None,
    }


def is_fatal(error: Exception) -> bool:
    """Return whether every other line would fail with the same error.

    Args:
        error: The error that was raised for a line.
    """
    if isinstance(error, (AuthenticationError, PermissionDeniedError, BudgetExceeded)):
        return True
    return isinstance(error, HebingAPIError) and error.code in _FATAL_CODES


def _is_unfinished(error: Exception) -> bool:
    """Return whether a retry of the line may still succeed."""
    import httpx

    return isinstance(error, (JobTimeout, ServerError, RateLimitError, httpx.HTTPError))


def _name_error(error: Exception) -> str:
    if isinstance(error, JobTimeout):
        return "timeout"
    if isinstance(error, InputInvalid):
        return "invalid_input"
    code: Any = getattr(error, "code", None)
    if isinstance(code, str) and code:
        return code
    import httpx

    return "connection_failed" if isinstance(error, httpx.HTTPError) else "sdk_error"


def _make_error(code: str, message: str) -> dict[str, str]:
    return {"code": code, "message": mask_keys(message)[:_MAX_MESSAGE]}
