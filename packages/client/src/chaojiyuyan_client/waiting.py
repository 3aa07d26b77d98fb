"""The flow that waits for a job to end."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from chaojiyuyan_core.api import get_job
from chaojiyuyan_core.errors import JobTimeout, ResponseFormatError, ServerError
from chaojiyuyan_core.http import Flow, Notify, Sleep, check_seconds, send
from chaojiyuyan_core.models import TERMINAL_JOB_STATUSES

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaojiyuyan_core.http import Reply, Retry
    from chaojiyuyan_core.models import JobData

FIRST_INTERVAL = 0.1
"""Seconds between the first two polls of a server that does not hold its answer back, and the
minimum of ``poll_interval``."""

GROWTH = 1.25
"""Each interval to the one before it: a job is noticed within a quarter of the time it took."""

MAX_HOLD = 30
"""Seconds that the server is asked to hold an answer back; proxies cut a silent one at about 60."""

HOLD_MARGIN = 1
"""Seconds between the end of the longest hold and the deadline, for the answer to arrive in."""

MIN_ATTEMPT_SECONDS = 0.3
"""Seconds that an attempt is given, though the deadline is nearer: the last one is made there."""


def wait_for_job(
    job_id: str,
    *,
    timeout: float,
    poll_interval: float,
    retry: Retry,
    now: Callable[[], float],
    since: float | None = None,
    on_update: Callable[[JobData], object] | None = None,
    max_hold: float = MAX_HOLD,
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
    :param max_hold: seconds that the server is asked to hold an answer back at most; who shows
        the status meanwhile sees it change within that time.
    :param draw: gives a number from 0 to 1 for the jitter.
    :returns: the job, with its output or error.
    :raises JobTimeout: the deadline passed; its cause is the fault of the last attempt, if any.
    :raises HebingAPIError: the API refused to show the job.
    """
    check_seconds("timeout", timeout)
    longest = max(_check_interval(poll_interval), FIRST_INTERVAL)
    deadline = (now() if since is None else since) + timeout
    interval = FIRST_INTERVAL
    status: str | None = None
    faults = 0
    while True:
        started = now()
        left = deadline - started
        hold = int(max(0, min(left - HOLD_MARGIN, max_hold)))  # the header takes whole seconds
        call = get_job(job_id, wait=hold or None)
        reply = yield from send(call, timeout=max(left, MIN_ATTEMPT_SECONDS))
        fault: Exception | None = None
        try:
            job = reply.value(call)
        except Exception as error:
            if not _passes(error, reply):
                raise
            fault = error
            pause = max(min(retry.backoff(faults, draw()), longest), reply.retry_after or 0.0)
            faults += 1
        else:
            faults = 0
            if job["status"] != status:
                status = job["status"]
                if on_update is not None:
                    yield Notify(on_update, job)
            if status in TERMINAL_JOB_STATUSES:
                return job
            pause = 0.0
            if not _was_held(reply, now() - started):
                pause = min(interval, longest)
                interval *= GROWTH
        left = deadline - now()
        if left <= 0:
            raise JobTimeout(job_id, timeout, status=status) from fault
        if pause > 0:
            yield Sleep(min(pause, left))


def _check_interval(poll_interval: float) -> float:
    if isinstance(poll_interval, bool) or not isinstance(poll_interval, (int, float)):
        kind = type(poll_interval).__name__
        raise TypeError(f"poll_interval must be a number of seconds, not {kind}")
    if poll_interval != poll_interval:  # NaN
        raise ValueError("poll_interval must be a number of seconds, not NaN")
    return poll_interval


def _passes(error: Exception, reply: Reply) -> bool:
    """Whether the fault may be over by the next attempt."""
    return isinstance(error, (ServerError, ResponseFormatError)) or reply.is_transient


def _was_held(reply: Reply, took: float) -> bool:
    """Whether the server holds answers back: it says so, and has not just answered at once."""
    return "wait" in reply.headers.get("preference-applied", "") and took >= FIRST_INTERVAL
