"""The flow that waits until a job ends."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from chaojiyuyan_core.api import get_job
from chaojiyuyan_core.errors import JobTimeout, ResponseFormatError, ServerError
from chaojiyuyan_core.http import Flow, Notify, Sleep, check_seconds, send
from chaojiyuyan_core.models import TERMINAL_JOB_STATUSES

from ._polling import FIRST_INTERVAL, Interval, SharedPolling

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaojiyuyan_core.http import Reply, Retry
    from chaojiyuyan_core.models import JobData

MAX_HOLD = 30
"""Maximum seconds of one long-poll. Proxies close a silent request after about 60 seconds."""

HOLD_MARGIN = 1
"""Seconds between the end of the last long-poll and the deadline, for the response to arrive."""

MIN_ATTEMPT_SECONDS = 0.3
"""Minimum seconds of an attempt, even past the deadline, because the last attempt starts there."""

_GATEWAY_STATUSES = frozenset({401, 403, 404})
"""Statuses that say something about the key or the job only when the API itself responds."""


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
    polling: SharedPolling | None = None,
    draw: Callable[[], float] = random.random,
) -> Flow[JobData]:
    """Read a job with ``GET /kernel-jobs/{id}`` until it has ended.

    Each request is a long-poll (``Prefer: wait``, RFC 7240): the server waits for the end of the
    job before it responds. A server without long-polling is polled at growing intervals, the last
    time at the deadline, and several waits poll together. These failures are retried: a failed
    connection, a 5xx status, an invalid response, and an HTML page of a gateway with 401, 403 or
    404. Other errors end the wait.

    Args:
        job_id: The id of the job.
        timeout: Seconds from `since` until the deadline.
        since: The start by the clock `now`; None means the start of this flow.
        poll_interval: Maximum seconds between two polls.
        retry: The delays of retries. Its `max_retries` is ignored here.
        now: A monotonic clock, in seconds.
        on_update: A function that is called with the job at the first response and whenever its
            status changes.
        max_hold: Maximum seconds of one long-poll. A change of the status that does not end the
            job is seen at the latest after this time.
        polling: The polling that the waits of one client share; None for a separate wait.
        draw: Returns a number from 0 to 1 for the jitter.

    Returns:
        The flow that returns the job, with its output or error.

    Raises:
        JobTimeout: The deadline passed. The cause is the failure of the last attempt, if there was
            one.
        HebingAPIError: The API itself refused to show the job.
    """
    check_seconds("timeout", timeout)
    interval = Interval(FIRST_INTERVAL, max(_check_interval(poll_interval), FIRST_INTERVAL))
    deadline = (now() if since is None else since) + timeout
    polling = polling or SharedPolling(now)
    told = _Listener(on_update)
    faults = 0
    polling.join(job_id)
    try:
        while True:
            started = now()
            left = deadline - started
            hold = int(max(0, min(left - HOLD_MARGIN, max_hold)))  # the header has whole seconds
            call = get_job(job_id, wait=hold or None)
            reply = yield from send(call, timeout=max(left, MIN_ATTEMPT_SECONDS))
            fault: Exception | None = None
            pause = 0.0
            try:
                job = reply.value(call)
            except Exception as error:
                if not may_pass(error, reply):
                    raise
                fault = error
                backoff = min(retry.backoff(faults, draw()), interval.maximum)
                pause = max(backoff, reply.retry_after or 0.0)
                faults += 1
            else:
                faults = 0
                yield from told.tell(job)
                if job["status"] in TERMINAL_JOB_STATUSES:
                    return job
                polling.platform_holds = was_held(reply, now() - started)
                if not polling.platform_holds and not polling.is_shared:
                    pause = interval.next()
            left = deadline - now()
            if left <= 0:
                raise JobTimeout(job_id, timeout, status=told.status) from fault
            if pause > 0:
                yield Sleep(min(pause, left))
            if polling.is_shared:
                yield from _look(job_id, polling, told, started, interval, deadline)
    finally:
        polling.leave(job_id)


class _Listener:
    """Calls `on_update` when the status of a job changes. `status` is the last status."""

    def __init__(self, on_update: Callable[[JobData], object] | None) -> None:
        self._on_update = on_update
        self.status: str | None = None

    def tell(self, job: JobData) -> Flow[None]:
        if job["status"] != self.status:
            self.status = job["status"]
            if self._on_update is not None:
                yield Notify(self._on_update, job)


def _look(
    job_id: str,
    polling: SharedPolling,
    told: _Listener,
    since: float,
    interval: Interval,
    ends: float,
) -> Flow[None]:
    """Follow the shared list until the job must be read by a single request."""
    while True:
        row = yield from polling.look(
            job_id, told.status, since=since, interval=interval, ends=ends
        )
        if row is None or row["status"] in TERMINAL_JOB_STATUSES:
            return  # the list does not contain the output
        yield from told.tell(row)


def _check_interval(poll_interval: float) -> float:
    if isinstance(poll_interval, bool) or not isinstance(poll_interval, (int, float)):
        kind = type(poll_interval).__name__
        raise TypeError(f"poll_interval must be a number of seconds, not {kind}")
    if poll_interval != poll_interval:  # NaN
        raise ValueError("poll_interval must be a number of seconds, not NaN")
    return poll_interval


def may_pass(error: Exception, reply: Reply) -> bool:
    """Return whether a retry may succeed, because the API itself has not refused the request.

    Args:
        error: The error of the reply.
        reply: The reply.
    """
    if reply.status in _GATEWAY_STATUSES and not reply.is_api:
        return True
    return isinstance(error, (ServerError, ResponseFormatError)) or reply.is_transient


def was_held(reply: Reply, took: float) -> bool:
    """Return whether the server supports long-polling: it says so, and did not respond at once.

    Args:
        reply: The reply.
        took: Seconds that the request took.
    """
    return "wait" in reply.headers.get("preference-applied", "") and took >= FIRST_INTERVAL
