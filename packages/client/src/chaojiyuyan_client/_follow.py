"""Follow a job: return each of its events once, as it happens."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, TypeVar

from chaojiyuyan_core.api import get_job, job_events
from chaojiyuyan_core.errors import JobTimeout
from chaojiyuyan_core.http import Flow, Sleep, check_seconds, send
from chaojiyuyan_core.models import TERMINAL_JOB_STATUSES

from ._polling import FIRST_INTERVAL, Interval
from .waiting import MIN_ATTEMPT_SECONDS, may_pass, was_held

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaojiyuyan_core.api import Call
    from chaojiyuyan_core.http import Retry
    from chaojiyuyan_core.models import JobEvent

T = TypeVar("T")

MAX_INTERVAL = 2.0
"""Maximum seconds between two polls of the events."""


class Follower:
    """Reads the new events of a job, and remembers the known ones.

    Attributes:
        has_ended: Whether the job has ended and its last event was returned.

    Args:
        job_id: The id of the job.
        timeout: Seconds until the deadline; None means no deadline.
        retry: The delays of retries. Its `max_retries` is ignored here.
        now: A monotonic clock, in seconds.
        draw: Returns a number from 0 to 1 for the jitter.
    """

    def __init__(
        self,
        job_id: str,
        *,
        timeout: float | None,
        retry: Retry,
        now: Callable[[], float],
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.has_ended = False
        self._job_id = job_id
        self._timeout = math.inf if timeout is None else check_seconds("timeout", timeout)
        self._retry = retry
        self._now = now
        self._draw = draw
        self._deadline = now() + self._timeout
        self._seen: set[object] = set()
        self._status: str | None = None
        self._interval = Interval(FIRST_INTERVAL, MAX_INTERVAL)

    def next_events(self) -> Flow[list[JobEvent]]:
        """Wait for new events or for the end of the job.

        Returns:
            The flow that returns the new events, oldest first.

        Raises:
            JobTimeout: The deadline passed.
            HebingAPIError: The API refused to show the job.
        """
        while True:
            began = self._now()
            # The first poll shows the events so far, also without time left.
            is_late = self._status is not None and began >= self._deadline
            seconds = self._interval.next()
            # With long-polling, the server responds as soon as the job ends.
            hold = int(seconds) or None
            job, is_held = yield from self._ask(get_job(self._job_id, wait=hold), began)
            # Read the status before the events, so that the events include everything before the
            # end.
            self._status = job["status"]
            is_last = self._status in TERMINAL_JOB_STATUSES
            events, _ = yield from self._ask(job_events(self._job_id), began)
            new = self._unseen(events)
            self.has_ended = is_last
            if new:
                self._interval = Interval(FIRST_INTERVAL, MAX_INTERVAL)
            if is_last or (new and not is_late):
                return new
            yield from self._sleep(0.0 if is_held else seconds)

    def _ask(self, call: Call[T], began: float) -> Flow[tuple[T, bool]]:
        """Send a request until it succeeds, and return whether the server supports long-polling."""
        faults = 0
        while True:
            left = self._deadline - self._now()
            timeout = max(left, MIN_ATTEMPT_SECONDS) if left < math.inf else None
            reply = yield from send(call, timeout=timeout)
            try:
                value = reply.value(call)
            except Exception as error:
                if not may_pass(error, reply):
                    raise
                pause = max(self._retry.backoff(faults, self._draw()), reply.retry_after or 0.0)
                faults += 1
                yield from self._sleep(pause, error)
            else:
                return value, was_held(reply, self._now() - began)

    def _sleep(self, seconds: float, fault: Exception | None = None) -> Flow[None]:
        left = self._deadline - self._now()
        if left <= 0:
            raise JobTimeout(self._job_id, self._timeout, status=self._status) from fault
        if seconds > 0:
            yield Sleep(min(seconds, left))

    def _unseen(self, events: list[JobEvent]) -> list[JobEvent]:
        new = []
        for position, event in enumerate(events):
            key = event.get("id") or position  # a string, or a number when the server sends no id
            if key not in self._seen:
                self._seen.add(key)
                new.append(event)
        return new
