"""The submit of a job: repeated until it is answered, within the lease."""

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
"""Seconds from the first submit of an output to the last."""

MAX_ATTEMPT_SECONDS = 30.0
"""Seconds of one attempt to submit."""

SUBMIT_RETRY = Retry(first_delay=0.2, max_delay=3.0)
"""How soon a submit is repeated."""

MIN_PAUSE = 0.05
"""The shortest pause of a flow that waits for a lease, in seconds."""


class HeldLease(Protocol):
    """What the flow knows of the lease that it submits under."""

    @property
    def is_gone(self) -> bool:
        """Whether the platform has said that the job is not this worker's any more."""

    def remaining(self) -> float:
        """Return the seconds until the lease ends; 0 or less once it is lost."""


class SubmitOutcome(Enum):
    """What became of a submit."""

    SETTLED = "settled"
    PROBABLY_SETTLED = "probably settled"
    REFUSED = "refused by validation"
    LOST = "lost"
    GIVEN_UP = "given up"


@dataclass(frozen=True, slots=True)
class Submission:
    """How a submit ended.

    Attributes:
        outcome: What became of it.
        result: The settlement, where there is one.
        refusal: What is wrong with the output, where it was refused.
        error: The last answer that was not a settlement.
        may_be_settled: Whether an attempt that was not answered may have settled the job.
        is_gone: Whether the platform has said that the job is not this worker's any more.
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
    """Submit until the answer is known, the lease has ended, or no attempt can succeed.

    No attempt is started once the lease is lost, and none goes on past its end.

    Args:
        call: The submit.
        lease: The lease of the job.
        clock: Gives monotonic seconds.
        draw: Gives a number from 0 to 1 for the jitter.
        on_retry: Told what went wrong, and in how many seconds the submit is repeated.
        max_seconds: Seconds for all attempts together.
        may_be_settled: Whether an attempt before may have settled the job.
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
            # The platform answers 404 to a submit that it has accepted before.
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
