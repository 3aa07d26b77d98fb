"""Interpret the platform's responses to a bid, a heartbeat and a submit.

The functions read a :class:`~chaojiyuyan_core.http.Reply` and do nothing else. The worker, the MCP
server and the single calls all use them, so that they interpret a response in the same way. A 404
or 410 means a lost lease only with an error code of the API. Without a code, the response comes
from an intermediary, such as a gateway without a route.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar, cast

from . import api
from ._api_errors import MAX_CODE_CHARS
from .errors import ResponseFormatError, UnprocessableError
from .times import parse_http_date, parse_iso

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from .http import Reply
    from .models import BidResult, LeaseInfo, SubmitResult

T = TypeVar("T")

MAX_LEASE_SECONDS = 30.0
"""Maximum length of a lease in seconds from the sending of the request. A longer one is cut."""

MIN_LEASE_SECONDS = 2.0
"""Minimum length of a lease in seconds. A shorter one means that a clock is wrong."""

LEASE_MARGIN = 1.0
"""Seconds subtracted from every lease, for the rounding of HTTP dates and the network delay."""

CLOSED_BID_CODES = frozenset(
    {"already_awarded", "not_in_bidding", "bid_window_expired", "attempt_exhausted"}
)
UNREGISTERED_CODES = frozenset({"worker_not_enabled", "capability_not_in_handler_set"})
LOST_LEASE_CODES = frozenset({"task_run_not_found", "lease_expired", "kernel_job_not_found"})
_BID_CODES = CLOSED_BID_CODES | UNREGISTERED_CODES | LOST_LEASE_CODES

_UNCHANGING_STATUSES = frozenset({413, 414, 431})
"""Statuses of a request that is too large. A retry gets the same status."""


# --- readings ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Award:
    """The bid won the job.

    Attributes:
        result: The platform's response, with ``task_run_id``.
        lease_seconds: Length of the lease in seconds from the sending of the bid.
    """

    result: BidResult
    lease_seconds: float


@dataclass(frozen=True, slots=True)
class BidRefused:
    """The platform refused the bid, so this worker does not get the job.

    Attributes:
        code: The reason, such as ``already_awarded``.
        fields: The other members of the response, such as ``awarded_to_agent_id``.
    """

    code: str
    fields: Mapping[str, object]

    @property
    def is_unregistered(self) -> bool:
        """Whether the agent has not registered this capability or any capability."""
        return self.code in UNREGISTERED_CODES


@dataclass(frozen=True, slots=True)
class LeaseExtended:
    """The platform extended the lease.

    Attributes:
        result: The platform's response.
        lease_seconds: Length of the lease in seconds from the sending of the heartbeat.
    """

    result: LeaseInfo
    lease_seconds: float


@dataclass(frozen=True, slots=True)
class LeaseGone:
    """The job no longer belongs to this worker: it was re-routed, was settled or has expired.

    Attributes:
        error: The error of the platform.
    """

    error: Exception


@dataclass(frozen=True, slots=True)
class Settled:
    """The platform accepted the output.

    Attributes:
        result: The settlement.
    """

    result: SubmitResult


@dataclass(frozen=True, slots=True)
class OutputRefused:
    """The platform refused the output, because it does not match the capability.

    Attributes:
        validation_errors: The problems of the output, one string each.
        code: The error code.
    """

    validation_errors: list[str]
    code: str


@dataclass(frozen=True, slots=True)
class Undecided:
    """The response says nothing about the job: a connection error, a proxy's page, a server error.

    Attributes:
        error: The error.
        retry_after: Seconds that the server asks to wait, or None.
        is_final: Whether a retry would get the same response.
        may_have_worked: Whether the request may have taken effect anyway.
    """

    error: Exception
    retry_after: float | None = None
    is_final: bool = False
    may_have_worked: bool = True


def read_bid(reply: Reply, now: datetime) -> Award | BidRefused | Undecided:
    """Interpret the response to ``POST /kernel-jobs/{id}/bid``.

    Args:
        reply: The reply.
        now: The local time, for a response without a ``Date`` header.
    """
    result = _read(reply, _BID)
    if not isinstance(result, Exception):
        if result["accepted"]:
            return Award(result, lease_seconds(result.get("lease_expires_at"), reply, now))
        fields = cast("Mapping[str, object]", reply.redact(result))
        return BidRefused(_read_code(fields, "refused"), fields)
    code = reply.code
    if code in _BID_CODES or reply.status == 409:
        return BidRefused(code or "http_409", getattr(result, "fields", {}))
    return _undecided(reply, result)


def read_heartbeat(reply: Reply, now: datetime) -> LeaseExtended | LeaseGone | Undecided:
    """Interpret the response to ``POST /kernel-jobs/{id}/heartbeat``.

    Args:
        reply: The reply.
        now: The local time, for a response without a ``Date`` header.
    """
    info = _read(reply, _HEARTBEAT)
    if not isinstance(info, Exception):
        return LeaseExtended(info, lease_seconds(info.get("lease_expires_at"), reply, now))
    return LeaseGone(info) if _is_lost(reply) else _undecided(reply, info)


def read_submit(reply: Reply) -> Settled | OutputRefused | LeaseGone | Undecided:
    """Interpret the response to ``POST /kernel-jobs/{id}/submit``.

    Args:
        reply: The reply.
    """
    result = _read(reply, _SUBMIT)
    if not isinstance(result, Exception):
        if result.get("settled") is not False:
            return Settled(result)
        fields = cast("Mapping[str, object]", reply.redact(result))
        code = _read_code(fields, "validation_failed")
        return OutputRefused(read_validation_errors(fields) or [code], code)
    if isinstance(result, UnprocessableError) and reply.is_api:
        found = read_validation_errors(result.fields) or [result.detail]
        return OutputRefused(found, result.code or "validation_failed")
    return LeaseGone(result) if _is_lost(reply) else _undecided(reply, result)


def lease_seconds(expires_at: object, reply: Reply, now: datetime) -> float:
    """Return the length of a lease in seconds from the sending of the request.

    Both times in the response come from the server, so a wrong local clock does no harm. When the
    ``Date`` header is missing or wrong, the local clock gives an estimate. The result is never
    longer than :data:`MAX_LEASE_SECONDS`.

    Args:
        expires_at: The ``lease_expires_at`` of the response.
        reply: The reply. Its ``Date`` header is the server's time.
        now: The local time.
    """
    until = parse_iso(expires_at)
    if until is not None:
        for clock in (parse_http_date(reply.headers.get("date")), now):
            length = (until - clock).total_seconds() if clock else 0.0
            if length >= MIN_LEASE_SECONDS:
                return min(length, MAX_LEASE_SECONDS) - LEASE_MARGIN
    return MAX_LEASE_SECONDS - LEASE_MARGIN


def is_key_refused(reply: Reply) -> bool:
    """Return whether the API itself refuses the key: 401 or 403 with the API's error body.

    An HTML page or the JSON of a gateway with the same status says nothing about the key. A 403
    that asks for a registration is not a refusal of the key either.

    Args:
        reply: The reply.
    """
    refused = reply.status in (401, 403) and reply.code not in UNREGISTERED_CODES
    return refused and _is_platform_error(reply)


def read_validation_errors(fields: Mapping[str, object]) -> list[str]:
    """Return the validation errors of an output as strings.

    Args:
        fields: The members of the response.
    """
    found = fields.get("validation_errors")
    return [str(error) for error in found] if isinstance(found, list) else []


# --- reading -------------------------------------------------------------------------------------

_BID = replace(api.bid("id"), path="/kernel-jobs/{id}/bid")
_HEARTBEAT = replace(api.heartbeat("id"), path="/kernel-jobs/{id}/heartbeat")
_SUBMIT = replace(api.submit("id", {}), path="/kernel-jobs/{id}/submit")


def _read(reply: Reply, call: api.Call[T]) -> T | Exception:
    if not reply.is_success:
        return reply.error()
    try:
        return reply.value(call)
    except ResponseFormatError as error:
        return error


def _read_code(fields: Mapping[str, object], default: str) -> str:
    return str(fields.get("code") or default)[:MAX_CODE_CHARS]


def _is_lost(reply: Reply) -> bool:
    return reply.status in (404, 410) and reply.code in LOST_LEASE_CODES


def _undecided(reply: Reply, error: Exception) -> Undecided:
    status = reply.status or 0
    declined = 400 <= status < 500 and not reply.is_transient
    said_by_api = declined and status not in (404, 410) and _is_platform_error(reply)
    return Undecided(
        error,
        reply.retry_after,
        is_final=said_by_api or status in _UNCHANGING_STATUSES,
        may_have_worked=not (declined or status == 429 or _was_not_sent(reply.fault)),
    )


def _is_platform_error(reply: Reply) -> bool:
    """Return whether an error body has the form of the API, and not of a gateway."""
    try:
        body = json.loads(reply.body)
    except (ValueError, RecursionError):
        return False
    return isinstance(body, dict) and bool(body.get("detail"))


def _was_not_sent(fault: Exception | None) -> bool:
    """Return whether a connection error came before any part of the request was sent."""
    if fault is None:
        return False
    import httpx

    before = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
    return isinstance(fault, (*before, httpx.UnsupportedProtocol, httpx.InvalidURL))
