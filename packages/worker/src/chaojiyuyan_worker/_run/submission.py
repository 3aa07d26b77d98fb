"""The submit: repeated until it is acknowledged, since the handler is not to run twice for it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from chaojiyuyan_core.answers import retry_after, value_of
from chaojiyuyan_core.errors import HebingAPIError, ResponseFormatError, UnprocessableError
from chaojiyuyan_core.retry import Retry, is_transient
from chaojiyuyan_worker._errors import validation_errors
from chaojiyuyan_worker.leases import Loss, is_gone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

    from chaojiyuyan_core.api import Call
    from chaojiyuyan_core.models import SubmitResult
    from chaojiyuyan_worker.leases import Lease

    from .wire import Wire

log = logging.getLogger(__name__)

PAUSES = Retry(first_delay=0.2, longest_delay=3.0)
"""How soon a submit is repeated."""


class Outcome(Enum):
    """What became of a job that was awarded."""

    SETTLED = "settled"
    PROBABLY_SETTLED = "probably settled"
    REFUSED = "refused by validation"
    LOST = "lost"
    FAILED = "failed"
    GIVEN_UP = "given up"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a submit.

    :param outcome: of the job, as far as this submit decides it.
    :param reason: why, where it is not settled.
    :param validation_errors: what the platform found wrong with the output.
    """

    outcome: Outcome
    reason: str = ""
    validation_errors: list[str] = field(default_factory=list)


PROBABLY_SETTLED = Verdict(
    Outcome.PROBABLY_SETTLED, "a submit went unanswered, and now the job is not ours any more"
)


def submit(
    wire: Wire,
    call: Call[SubmitResult],
    lease: Lease,
    labels: Mapping[str, object],
    *,
    sleep: Callable[[float], object],
    draw: Callable[[], float],
) -> Verdict:
    """Submit until the answer is known or the lease has ended.

    :param call: the submit.
    :param lease: nothing is sent once it is lost.
    :param labels: what log records about the job carry.
    :param sleep: waits the given seconds.
    :param draw: gives a number from 0 to 1 for the jitter.
    """
    unanswered = False
    attempt = 0
    while True:
        loss = lease.lost
        if loss is not None:
            if unanswered and loss is Loss.GONE:
                return PROBABLY_SETTLED
            return Verdict(Outcome.LOST, loss.value)
        answer = wire.send(call, lease.remaining())
        verdict, reason = _verdict(call, answer)
        if verdict is not None:
            return verdict
        if not isinstance(answer, Exception) and is_gone(answer):
            # Before the deadline, and after an attempt that may have come through, the job was
            # settled by that one: the platform answers 404 to a submit that it has accepted.
            if unanswered and lease.remaining() > 0:
                return PROBABLY_SETTLED
            return Verdict(Outcome.LOST, reason)
        asked = None if isinstance(answer, Exception) else retry_after(answer)
        unanswered = unanswered or isinstance(answer, Exception) or answer.status_code != 429
        delay = PAUSES.backoff(attempt, draw())
        delay = min(max(delay, asked or 0.0), max(lease.remaining(), 0.0))
        log.warning("submit failed, again in %.1f s: %s", delay, reason, extra=dict(labels))
        sleep(delay)
        attempt += 1


def _verdict(
    call: Call[SubmitResult], answer: httpx.Response | Exception
) -> tuple[Verdict | None, str]:
    """Return what an answer decides, or None and the fault if it decides nothing yet."""
    if isinstance(answer, Exception):
        return None, f"{type(answer).__name__}: {answer}"
    try:
        result = value_of(call, answer)
    except UnprocessableError as error:
        found = validation_errors(error.fields) or [error.detail]
        return Verdict(Outcome.REFUSED, "; ".join(found), found), ""
    except HebingAPIError as error:
        undecided = is_transient(answer) or is_gone(answer) or answer.status_code >= 500
        # A success that cannot be read, and a proxy's own page, leave it open as well.
        if undecided or isinstance(error, ResponseFormatError) or _is_page(answer):
            return None, str(error)
        return Verdict(Outcome.GIVEN_UP, str(error)), ""
    if result.get("settled", True):
        return Verdict(Outcome.SETTLED), ""
    found = validation_errors(result) or [str(result.get("code", "not settled"))]
    return Verdict(Outcome.REFUSED, "; ".join(found), found), ""


def _is_page(answer: httpx.Response) -> bool:
    return "html" in answer.headers.get("content-type", "")
