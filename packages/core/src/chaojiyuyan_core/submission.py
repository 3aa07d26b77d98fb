"""Submit a job: retry within the lease until the platform answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from .answers import LeaseGone, OutputRefused, Settled, Undecided, read_submit
from .http import Retry, Sleep, send

if TYPE_CHECKING:
    from collections.abc import Callable

    from .api import Call
    from .http import Flow
    from .models import SubmitResult

MAX_SUBMIT_SECONDS = 60.0
"""Maximum seconds from the first to the last attempt of a submit."""

MAX_ATTEMPT_SECONDS = 30.0
"""Maximum seconds of one attempt."""

SUBMIT_RETRY = Retry(first_delay=0.2, max_delay=3.0)
"""The delays between attempts of a submit."""

MIN_PAUSE = 0.05
"""Minimum seconds of one sleep while the flow watches the lease."""


class HeldLease(Protocol):
    """The interface of the lease for the flow."""

    @property
    def is_gone(self) -> bool:
        """Whether the platform has said that the job no longer belongs to this worker."""

    def remaining(self) -> float:
        """Return the seconds until the lease expires, or 0 or less after it was lost."""


class SubmitOutcome(Enum):
    """The outcome of a submit."""

    SETTLED = "settled"
    PROBABLY_SETTLED = "probably settled"
    REFUSED = "refused by validation"
    LOST = "lost"
    GIVEN_UP = "given up"


@dataclass(frozen=True, slots=True)
class Submission:
    """The result of a submit.

    Attributes:
        outcome: The outcome.
        result: The settlement, or None.
        refusal: The validation errors of a refused output, or None.
        error: The error of the last attempt, or None.
        may_be_settled: Whether an attempt without an answer may have settled the job.
        is_gone: Whether the platform has said that the job no longer belongs to this worker.
    """

    outcome: SubmitOutcome
    result: SubmitResult | None = None
    refusal: OutputRefused | None = None
    error: Exception | None = None
    may_be_settled: bool = False
    is_gone: bool = False


def submit_until_settled(
    call: Call[SubmitResult],
    lease: HeldLease,
    *,
    clock: Callable[[], float],
    draw: Callable[[], float],
    on_retry: Callable[[Undecided, float], object] = lambda *_: None,
    max_seconds: float = MAX_SUBMIT_SECONDS,
    may_be_settled: bool = False,
) -> Flow[Submission]:
    """Submit until the platform answers, the lease is lost, or no attempt can succeed.

    No attempt starts after the lease was lost, and each attempt ends with the lease.

    Args:
        call: The submit request (``POST /kernel-jobs/{id}/submit``).
        lease: The lease of the job.
        clock: A monotonic clock, in seconds.
        draw: Returns a number from 0 to 1 for the jitter.
        on_retry: Called before each retry with the error and the delay in seconds.
        max_seconds: Maximum seconds for all attempts together.
        may_be_settled: Whether an earlier attempt may have settled the job.

    Returns:
        The flow that returns the result of the submit.
    """
    ends = clock() + max_seconds
    attempt = 0
    error: Exception | None = None
    while (remaining := lease.remaining()) > 0:
        left = ends - clock()
        if left <= 0:
            return Submission(SubmitOutcome.GIVEN_UP, error=error, may_be_settled=may_be_settled)
        timeout = min(remaining, left, MAX_ATTEMPT_SECONDS)
        reading = read_submit((yield from send(call, timeout=timeout)))
        if isinstance(reading, Settled):
            return Submission(SubmitOutcome.SETTLED, reading.result)
        if isinstance(reading, OutputRefused):
            return Submission(SubmitOutcome.REFUSED, refusal=reading)
        error = reading.error
        if isinstance(reading, LeaseGone):
            # The platform also responds with 404 when it has already accepted the submit.
            likely = may_be_settled and lease.remaining() > 0
            return _lose(error, may_be_settled, likely=likely, is_gone=True)
        may_be_settled = may_be_settled or reading.may_have_worked
        delay = max(SUBMIT_RETRY.backoff(attempt, draw()), reading.retry_after or 0.0)
        resumes = clock() + delay
        if reading.is_final or resumes >= ends:
            return Submission(SubmitOutcome.GIVEN_UP, error=error, may_be_settled=may_be_settled)
        on_retry(reading, delay)
        while (remaining := lease.remaining()) > 0 and (pause := resumes - clock()) > 0:
            yield Sleep(min(pause, max(remaining, MIN_PAUSE)))
        attempt += 1
    likely = may_be_settled and lease.is_gone
    return _lose(error, may_be_settled, likely=likely, is_gone=lease.is_gone)


def _lose(
    error: Exception | None, may_be_settled: bool, *, likely: bool, is_gone: bool
) -> Submission:
    outcome = SubmitOutcome.PROBABLY_SETTLED if likely else SubmitOutcome.LOST
    return Submission(outcome, error=error, may_be_settled=may_be_settled, is_gone=is_gone)
