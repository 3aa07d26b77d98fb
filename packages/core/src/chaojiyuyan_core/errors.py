"""All exceptions of the SDK.

The tree::

    HebingError
    ├── HebingAPIError                 the API responded with an error status
    │   ├── BadRequestError            400
    │   ├── AuthenticationError        401
    │   ├── PermissionDeniedError      403
    │   ├── NotFoundError              404
    │   ├── ConflictError              409
    │   ├── UnprocessableError         422
    │   ├── RateLimitError             429
    │   ├── ServerError                5xx
    │   └── ResponseFormatError        the response does not have the documented form
    ├── CredentialsError               the credentials file cannot be read or written
    ├── DeviceFlowError                a device login was denied or has expired
    │   └── DeviceFlowTimeout          nobody approved the login in time
    ├── JobTimeout                     a wait for a job reached its deadline
    ├── JobFailed                      a job ended with a status other than succeeded
    ├── PriceTooHigh                   a capability costs more than the caller allows
    ├── BudgetExceeded                 an order exceeds the caller's budget
    ├── InputInvalid                   an input does not match the capability's schema
    ├── DownloadError                  an artifact cannot be downloaded as described
    ├── WebhookVerificationError       a webhook's signature or body is invalid
    └── WorkerError
        ├── WorkerNotEnabled           the agent has registered no capability
        ├── CapabilityNotRegistered    the capability is not in the agent's handler set
        ├── BidRejected                another worker has the job, or its bidding has ended
        ├── TaskRunNotFound            the job was re-routed, or never belonged to this agent
        ├── LeaseExpired               the lease has expired
        ├── SubmitValidationFailed     the output does not match the capability
        ├── NonRetryableError          raised by a handler: give up the job at once
        │   └── InvalidInput           the input does not match the type of its handler
        └── TaskCancelled              raised in a handler: its result is no longer wanted

``CredentialsError`` and ``InputInvalid`` are also ``ValueError``s. Network failures are raised as
``httpx.HTTPError``. Every exception can be pickled and copied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy

from ._api_errors import (
    AuthenticationError,
    BadRequestError,
    ConflictError,
    HebingAPIError,
    HebingError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ResponseFormatError,
    ServerError,
    UnprocessableError,
)
from .models import UNTAKEN_JOB_STATUSES

_MAX_REASON_CHARS = 500  # a server or a worker may write a reason of any length

__all__ = [
    "AuthenticationError",
    "BadRequestError",
    "BidRejected",
    "BudgetExceeded",
    "CapabilityNotRegistered",
    "ConflictError",
    "CredentialsError",
    "DeviceFlowError",
    "DeviceFlowTimeout",
    "DownloadError",
    "HebingAPIError",
    "HebingError",
    "InputInvalid",
    "InvalidInput",
    "JobFailed",
    "JobTimeout",
    "LeaseExpired",
    "NonRetryableError",
    "NotFoundError",
    "PermissionDeniedError",
    "PriceTooHigh",
    "RateLimitError",
    "ResponseFormatError",
    "ServerError",
    "SubmitValidationFailed",
    "TaskCancelled",
    "TaskRunNotFound",
    "UnprocessableError",
    "WebhookVerificationError",
    "WorkerError",
    "WorkerNotEnabled",
]


class CredentialsError(HebingError, ValueError):
    """The credentials file cannot be read or written, or a value cannot be saved in it."""


class DeviceFlowError(HebingError):
    """A device login was denied, or its code has expired."""


class DeviceFlowTimeout(DeviceFlowError):
    """Nobody approved a device login in time."""


class JobTimeout(HebingError):
    """A wait for a job reached its deadline. The job itself continues.

    Attributes:
        job_id: The id of the job.
        timeout: The timeout of the wait in seconds.
        status: The last known status, or None when there was no response.
    """

    def __init__(self, job_id: str, timeout: float, *, status: str | None = None) -> None:
        """Make the message from the job and its status."""
        state = f": it is {status[:_MAX_REASON_CHARS]}" if status else ""
        if status in UNTAKEN_JOB_STATUSES:
            state += ", and no worker has taken it"
        super().__init__(f"Job {job_id} did not end within {timeout:g} s{state}")
        self.job_id = job_id
        self.timeout = timeout
        self.status = status


class JobFailed(HebingError):
    """A job ended with a status other than ``succeeded``.

    Attributes:
        job: The job from the API. When it contains the agent key, a copy with a masked key.
        job_id: The id of the job.
        status: The final status.
        error_code: The stable code of the failure, or None when the API sent none.
        error_message: The message of the failure, or None when the API sent none.
    """

    def __init__(self, job: Mapping[str, object]) -> None:
        """Make the message from the job, its status and its error."""
        self.job = _mask_job(job)
        self.job_id = str(self.job.get("id"))
        self.status = str(self.job.get("status"))
        self.error_code = _text(self.job.get("error_code"))
        self.error_message = _text(self.job.get("error_message"))
        reason = ": ".join(part for part in (self.error_code, self.error_message) if part)
        reason = f" ({reason[:_MAX_REASON_CHARS]})" if reason else ""
        super().__init__(f"Job {self.job_id} {self.status}{reason}")


def _mask_job(job: Mapping[str, object]) -> Mapping[str, object]:
    from .redaction import mask_values

    masked = mask_values(dict(job))
    if masked == job:
        return job
    if not isinstance(job, dict):
        return masked
    changed = copy(job)
    changed.update(masked)
    return changed


def _text(value: object) -> str | None:
    return None if value is None else str(value)


class PriceTooHigh(HebingError):
    """A capability costs more than the caller allows, or its price is unknown. Nothing was ordered.

    Attributes:
        capability_key: The key of the capability.
        price_nc: The price in the catalog in nc, or None when the catalog has none.
        max_price_nc: The caller's maximum price in nc.
    """

    def __init__(self, capability_key: str, price_nc: int | None, max_price_nc: int) -> None:
        """Make the message from the capability, its price and the maximum."""
        price = "has no known price" if price_nc is None else f"costs {price_nc} nc"
        super().__init__(
            f"{capability_key} {price}, and max_price_nc is {max_price_nc}: nothing was ordered"
        )
        self.capability_key = capability_key
        self.price_nc = price_nc
        self.max_price_nc = max_price_nc


class BudgetExceeded(HebingError):
    """An order exceeds the caller's budget, or its price is unknown. Nothing was ordered.

    Attributes:
        price_nc: The price of the order in nc, or None when it is unknown.
        left_nc: The rest of the budget in nc.
    """

    def __init__(self, price_nc: int | None, left_nc: int) -> None:
        """Make the message from the price and the rest of the budget."""
        price = "has no known price" if price_nc is None else f"costs {price_nc} nc"
        super().__init__(
            f"The order {price}, and {left_nc} nc of the budget are left: nothing was ordered"
        )
        self.price_nc = price_nc
        self.left_nc = left_nc


class InputInvalid(HebingError, ValueError):
    """An input does not match the `input_schema` of its capability. Nothing was ordered.

    Attributes:
        path: The place in the input, for example ``items.1.size``; empty for the whole input.
        reason: The problem at this place.
    """

    def __init__(self, path: str, reason: str) -> None:
        """Make the message from the place and the reason."""
        super().__init__(f"The input is invalid{' at ' + path if path else ''}: {reason}")
        self.path = path
        self.reason = reason


class DownloadError(HebingError):
    """An artifact has no usable address, or its content differs from its description."""


class WebhookVerificationError(HebingError):
    """A webhook's signature does not match its body, or its body is not a JSON object."""


class WorkerError(HebingError):
    """The base class of errors between a worker and the platform."""


class WorkerNotEnabled(WorkerError):
    """403 ``worker_not_enabled``: the agent has registered no capability yet."""


class CapabilityNotRegistered(WorkerError):
    """403 ``capability_not_in_handler_set``: the agent has not registered this capability.

    Args:
        capability_key: The key of the capability.
    """

    def __init__(self, capability_key: str) -> None:
        super().__init__(f"Capability {capability_key} is not registered for this worker")
        self.capability_key = capability_key


class BidRejected(WorkerError):
    """The platform rejected a bid.

    Args:
        job_id: The id of the job.
        code: ``already_awarded``, ``not_in_bidding``, ``bid_window_expired`` or
            ``attempt_exhausted``.
        awarded_to_agent_id: The id of the agent that has the job, or None when it is unknown.
    """

    def __init__(self, job_id: str, code: str, *, awarded_to_agent_id: str | None = None) -> None:
        super().__init__(f"Bid on job {job_id} rejected: {code[:_MAX_REASON_CHARS]}")
        self.job_id = job_id
        self.code = code
        self.awarded_to_agent_id = awarded_to_agent_id


class TaskRunNotFound(WorkerError):
    """404 ``task_run_not_found``: the job was re-routed, or belongs to another agent.

    Attributes:
        job_id: The id of the job.
        may_be_settled: Whether a submit without an answer may have settled the job.
    """

    def __init__(self, job_id: str, *, may_be_settled: bool = False) -> None:
        super().__init__(f"No task run of this worker for job {job_id}" + _hint(may_be_settled))
        self.job_id = job_id
        self.may_be_settled = may_be_settled


class LeaseExpired(WorkerError):
    """410 ``lease_expired``: the lease of the job expired.

    Attributes:
        job_id: The id of the job.
        may_be_settled: Whether a submit without an answer may have settled the job.
    """

    def __init__(self, job_id: str, *, may_be_settled: bool = False) -> None:
        super().__init__(f"The lease of job {job_id} has expired" + _hint(may_be_settled))
        self.job_id = job_id
        self.may_be_settled = may_be_settled


def _hint(may_be_settled: bool) -> str:
    return "; a submit without an answer may have settled it" if may_be_settled else ""


class SubmitValidationFailed(WorkerError):
    """422 ``validation_failed``: the output does not match the capability's schema.

    Args:
        job_id: The id of the job.
        validation_errors: The problems of the output, one string each.
    """

    def __init__(self, job_id: str, validation_errors: Sequence[str]) -> None:
        found = "; ".join(validation_errors)[:_MAX_REASON_CHARS]
        super().__init__(f"Output of job {job_id} refused: {found}")
        self.job_id = job_id
        self.validation_errors = list(validation_errors)


class NonRetryableError(WorkerError):
    """Raised by a handler to give up its job at once, without a retry."""


class InvalidInput(NonRetryableError):
    """A job's input does not match the input type of its handler, so the handler does not run.

    Attributes:
        path: The place in the input, such as ``items[1].price``; empty for the whole input.

    Args:
        reason: The problem, without the value.
        path: The place in the input.
    """

    def __init__(self, reason: str, *, path: str = "") -> None:
        super().__init__(reason)
        self.path = path


class TaskCancelled(WorkerError):
    """Raised in a handler that checks for cancellation, when its result is no longer wanted.

    Args:
        job_id: The id of the job.
        reason: The reason, such as a lost lease.
    """

    def __init__(self, job_id: str, reason: str) -> None:
        super().__init__(f"Job {job_id} is cancelled: {reason}")
        self.job_id = job_id
        self.reason = reason


for _name in __all__:
    globals()[_name].__module__ = __name__  # the public name, which tracebacks show
