"""What the platform's answers to a bid, a heartbeat and a submit mean, in one place.

The functions read a :class:`~chaojiyuyan_core.http.Reply` and do nothing else. Worker, MCP server
and the single calls use them, so that none of them takes an answer for something else than the
others do. A 404 or 410 means that a lease is lost only with a code of the API: without one the
answer comes from something between, such as a gateway that knows no route.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar, cast

from . import api
from .errors import ResponseFormatError, UnprocessableError
from .times import parse_http_date, parse_iso

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from .http import Reply
    from .models import BidResult, LeaseInfo, SubmitResult

T = TypeVar("T")

MAX_LEASE_SECONDS = 30.0
"""The longest lease that is believed, in seconds from when the request was sent."""

MIN_LEASE_SECONDS = 2.0
"""The shortest lease that is believed, in seconds: below it, a clock on the way is wrong."""

LEASE_MARGIN = 1.0
"""Seconds taken off every lease: an HTTP date has no decimals, and an answer takes its way."""

CLOSED_BID_CODES = frozenset(
    {"already_awarded", "not_in_bidding", "bid_window_expired", "attempt_exhausted"}
)
UNREGISTERED_CODES = frozenset({"worker_not_enabled", "capability_not_in_handler_set"})
LOST_LEASE_CODES = frozenset({"task_run_not_found", "lease_expired", "kernel_job_not_found"})
_BID_CODES = CLOSED_BID_CODES | UNREGISTERED_CODES | LOST_LEASE_CODES

_UNCHANGING_STATUSES = frozenset({413, 414, 431})
"""Statuses that the same request gets again, whoever answers: it is too large."""


# --- readings ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Award:
    """The bid won the job.

    Attributes:
        result: The platform's answer, with ``task_run_id``.
        lease_seconds: How long the lease is held, from when the bid was sent.
    """

    result: BidResult
    lease_seconds: float


@dataclass(frozen=True, slots=True)
class BidRefused:
    """The platform answered the bid, and this worker does not get the job.

    Attributes:
        code: Why, such as ``already_awarded``.
        fields: The other members of the answer, such as ``awarded_to_agent_id``.
    """

    code: str
    fields: Mapping[str, object]

    @property
    def is_unregistered(self) -> bool:
        """Whether the agent has not registered the capability, or none at all."""
        return self.code in UNREGISTERED_CODES


@dataclass(frozen=True, slots=True)
class LeaseExtended:
    """The lease goes on.

    Attributes:
        result: The platform's answer.
        lease_seconds: How long, from when the heartbeat was sent.
    """

    result: LeaseInfo
    lease_seconds: float


@dataclass(frozen=True, slots=True)
class LeaseGone:
    """The job is not this worker's any more: re-routed, settled or expired.

    Attributes:
        error: What the platform says.
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
    """The output does not fit the capability.

    Attributes:
        validation_errors: What is wrong with it.
        code: The code of the refusal.
    """

    validation_errors: list[str]
    code: str = "validation_failed"


@dataclass(frozen=True, slots=True)
class Undecided:
    """The answer decides nothing about the job: a fault, a page of a proxy, a server error.

    Attributes:
        error: What came instead of a decision.
        retry_after: Seconds that the server asks to wait, or None.
        is_final: Whether the same request gets the same answer again.
        may_have_worked: Whether the request may have taken effect all the same.
    """

    error: Exception
    retry_after: float | None = None
    is_final: bool = False
    may_have_worked: bool = True


def read_bid(reply: Reply, now: datetime) -> Award | BidRefused | Undecided:
    """Read the answer to ``POST /kernel-jobs/{id}/bid``.

    Args:
        reply: The answer.
        now: The local clock, for an answer without a ``Date``.
    """
    result = _read(reply, _BID)
    if not isinstance(result, Exception):
        if result["accepted"]:
            return Award(result, lease_seconds(result.get("lease_expires_at"), reply, now))
        fields = cast("Mapping[str, object]", reply.redact(result))
        return BidRefused(str(fields.get("code", "refused")), fields)
    code = reply.code
    if code in _BID_CODES or reply.status == 409:
        return BidRefused(code or "http_409", getattr(result, "fields", {}))
    return _undecided(reply, result)


def read_heartbeat(reply: Reply, now: datetime) -> LeaseExtended | LeaseGone | Undecided:
    """Read the answer to ``POST /kernel-jobs/{id}/heartbeat``.

    Args:
        reply: The answer.
        now: The local clock, for an answer without a ``Date``.
    """
    info = _read(reply, _HEARTBEAT)
    if not isinstance(info, Exception):
        return LeaseExtended(info, lease_seconds(info.get("lease_expires_at"), reply, now))
    return LeaseGone(info) if _is_lost(reply) else _undecided(reply, info)


def read_submit(reply: Reply) -> Settled | OutputRefused | LeaseGone | Undecided:
    """Read the answer to ``POST /kernel-jobs/{id}/submit``.

    Args:
        reply: The answer.
    """
    result = _read(reply, _SUBMIT)
    if not isinstance(result, Exception):
        if result.get("settled") is not False:
            return Settled(result)
        fields = cast("Mapping[str, object]", reply.redact(result))
        code = str(fields.get("code") or "validation_failed")
        return OutputRefused(read_validation_errors(fields) or [code], code)
    if isinstance(result, UnprocessableError) and reply.is_api:
        found = read_validation_errors(result.fields) or [result.detail]
        return OutputRefused(found, result.code or "validation_failed")
    return LeaseGone(result) if _is_lost(reply) else _undecided(reply, result)


def lease_seconds(expires_at: object, reply: Reply, now: datetime) -> float:
    """Return how long a lease is held, in seconds from when the request was sent.

    Both times in the answer are the server's, so a wrong local clock does not matter. Where the
    answer has no ``Date``, or one that cannot be right, the local clock gives an estimate. No lease
    is believed to be longer than :data:`MAX_LEASE_SECONDS`.

    Args:
        expires_at: The answer's ``lease_expires_at``.
        reply: The answer; its ``Date`` is the server's now.
        now: The local clock.
    """
    until = parse_iso(expires_at)
    if until is not None:
        for clock in (parse_http_date(reply.headers.get("date")), now):
            length = (until - clock).total_seconds() if clock else 0.0
            if length >= MIN_LEASE_SECONDS:
                return min(length, MAX_LEASE_SECONDS) - LEASE_MARGIN
    return MAX_LEASE_SECONDS - LEASE_MARGIN


def is_key_refused(reply: Reply) -> bool:
    """Return whether the API itself refuses the key: 401 or 403 in the API's form of an error.

    A page or a gateway's JSON of the same status says nothing about the key, and neither does a
    403 that asks for a registration.

    Args:
        reply: The answer.
    """
    refused = reply.status in (401, 403) and reply.code not in UNREGISTERED_CODES
    return refused and _is_platform_error(reply)


def read_validation_errors(fields: Mapping[str, object]) -> list[str]:
    """Return what was wrong with an output, a text each.

    Args:
        fields: The members of the answer.
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


def _is_lost(reply: Reply) -> bool:
    return reply.status in (404, 410) and reply.code in LOST_LEASE_CODES


def _undecided(reply: Reply, error: Exception) -> Undecided:
    status = reply.status or 0
    declined = 400 <= status < 500 and not reply.is_transient
    said_by_api = declined and status not in (404, 410) and _is_platform_error(reply)
    return Undecided(
        error,
        reply.retry_after,
        is_final=said_by_api or (reply.fault is None and status in _UNCHANGING_STATUSES),
        may_have_worked=not (declined or status == 429 or _was_not_sent(reply.fault)),
    )


def _is_platform_error(reply: Reply) -> bool:
    """Whether an error has the API's form, which a gateway's JSON has not."""
    try:
        body = json.loads(reply.body)
    except (ValueError, RecursionError):
        return False
    return isinstance(body, dict) and bool(body.get("detail"))


def _was_not_sent(fault: Exception | None) -> bool:
    """Whether a fault came before the request was on its way."""
    if fault is None:
        return False
    import httpx

    before = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
    return isinstance(fault, (*before, httpx.UnsupportedProtocol, httpx.InvalidURL))
