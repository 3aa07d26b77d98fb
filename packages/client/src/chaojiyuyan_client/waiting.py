"""The flow that waits for a job to end."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from chaojiyuyan_core.answers import retry_after, value_of
from chaojiyuyan_core.api import get_job
from chaojiyuyan_core.errors import JobTimeout, ResponseFormatError, ServerError
from chaojiyuyan_core.flow import Flow, Sleep, send
from chaojiyuyan_core.models import TERMINAL_JOB_STATUSES
from chaojiyuyan_core.retry import LONGEST_RETRY_AFTER, is_transient

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from chaojiyuyan_core.models import JobData
    from chaojiyuyan_core.retry import Retry

FIRST_INTERVAL = 0.1
"""Seconds between the first two polls of a server that does not hold its answer back."""

GROWTH = 1.25
"""Each interval to the one before it: a job is noticed within a quarter of the time it took."""

LONGEST_HOLD = 30
"""Seconds that the server is asked to hold an answer back; proxies cut a silent one at about 60."""

GRACE = 1
"""Seconds that an answer may take, beyond the hold and though the deadline is nearer than that."""


def wait_for_job(
    job_id: str,
    *,
    timeout: float,
    poll_interval: float,
    retry: Retry,
    now: Callable[[], float],
    since: float | None = None,
    on_update: Callable[[JobData], object] | None = None,
    longest_hold: float = LONGEST_HOLD,
    draw: Callable[[], float] = random.random,
) -> Flow[JobData]:
    """Ask for a job until it has ended.

    Each request asks the server to hold its answer until then (``Prefer: wait``, RFC 7240). A
    server that does not is polled at growing intervals, the last time at the deadline. A fault on
    the wire, a 5xx or an answer that makes no sense does not end the wait, another error does.

    :param timeout: seconds until the deadline.
    :param since: when they began, by ``now``; with the wait by default.
    :param poll_interval: the longest interval, in seconds.
    :param retry: how long to wait after a fault; its ``max_retries`` does not count here.
    :param now: a monotonic clock, in seconds.
    :param on_update: called with the job when it is first seen and whenever its status changes.
    :param longest_hold: seconds that the server is asked to hold an answer back at most; who shows
        the status meanwhile sees it change within that time.
    :param draw: gives a number from 0 to 1 for the jitter.
    :returns: the job, with its output or error.
    :raises JobTimeout: the deadline passed; its cause is the fault of the last attempt, if any.
    :raises HebingAPIError: the API refused to show the job.
    """
    deadline = (now() if since is None else since) + timeout
    interval = FIRST_INTERVAL
    status: str | None = None
    faults = 0
    while True:
        started = now()
        left = deadline - started
        hold = int(max(0, min(left - GRACE, longest_hold)))  # the header takes whole seconds
        call = get_job(job_id, wait=hold or None)
        answer = yield from send(call, timeout=max(left, GRACE))
        fault: Exception | None = None
        try:
            if isinstance(answer, Exception):
                raise answer
            job = value_of(call, answer)
        except Exception as error:
            if not _passes(error, answer):
                raise
            fault = error
            longest = max(poll_interval, FIRST_INTERVAL)  # a server that is down is not hammered
            pause = max(min(retry.backoff(faults, draw()), longest), _asked(answer))
            faults += 1
        else:
            faults = 0
            if job["status"] != status:
                status = job["status"]
                if on_update is not None:
                    on_update(job)
            if status in TERMINAL_JOB_STATUSES:
                return job
            pause = 0.0
            if not _was_held(answer, now() - started):
                pause = min(interval, poll_interval)
                interval *= GROWTH
        left = deadline - now()
        if left <= 0:
            raise JobTimeout(job_id, timeout, status=status) from fault
        if pause > 0:
            yield Sleep(min(pause, left))


def _passes(error: Exception, answer: httpx.Response | Exception) -> bool:
    """Whether the fault may be over by the next attempt."""
    return isinstance(error, (ServerError, ResponseFormatError)) or is_transient(answer)


def _asked(answer: httpx.Response | Exception) -> float:
    asked = None if isinstance(answer, Exception) else retry_after(answer)
    return min(asked or 0.0, LONGEST_RETRY_AFTER)


def _was_held(answer: httpx.Response | Exception, took: float) -> bool:
    """Whether the server holds answers back: it says so, and has not just answered at once."""
    if isinstance(answer, Exception):
        return False
    return "wait" in answer.headers.get("preference-applied", "") and took >= FIRST_INTERVAL
