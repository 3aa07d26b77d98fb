"""Polling that the waits of one client share when the platform does not support long-polling.

A single wait polls its job at growing intervals. Several waits read the list of the caller's own
jobs instead, because one request returns fifty jobs. There is no background thread: the first wait
that runs when a read is due reads the list, and the other waits use its result. All requests
together keep to one rate. This includes the requests for single jobs that the list does not show.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from chaojiyuyan_core.api import list_jobs
from chaojiyuyan_core.http import Flow, Sleep, send

from ._pages import PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaojiyuyan_core.models import JobData

FIRST_INTERVAL = 0.1
"""Seconds between the first two polls of a wait, and the minimum of `poll_interval`."""

GROWTH = 1.25
"""Ratio of each interval to the previous one."""

MAX_RATE = 8.0
"""Maximum requests per second of all waits together. The platform allows ten for one client."""

MAX_LOOK = 1.0
"""Maximum seconds until a wait checks the results that other waits have read."""

LIST_TIMEOUT = 10.0
"""Timeout in seconds for one page of the list."""

EXTRA_PAGES = 2
"""Pages that are read beyond the number that the open jobs would fill."""

MAX_SINGLE_READERS = 8
"""Maximum number of waits that take turns with single reads, so that none of them starves."""


@dataclass(slots=True)
class Interval:
    """The seconds between two polls of one wait.

    They grow by a quarter, so the end of a job is noticed after at most a quarter of its duration.

    Attributes:
        seconds: The present interval.
        maximum: The maximum interval.
    """

    seconds: float
    maximum: float

    def next(self) -> float:
        """Return the present interval, and increase it."""
        present = min(self.seconds, self.maximum)
        self.seconds *= GROWTH
        return present


class SharedPolling:
    """The open waits of one client, and the last known rows of their jobs.

    Attributes:
        platform_holds: Whether the last response showed that the platform supports long-polling
            (``Prefer: wait``, RFC 7240).

    Args:
        now: A monotonic clock, in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.platform_holds = False
        self._lock = threading.Lock()
        self._clear()

    def _clear(self) -> None:
        self._process = os.getpid()
        self._open: Counter[str] = Counter()
        self._seen: dict[str, tuple[float, JobData]] = {}  # the time of the request, and the row
        # Jobs that the list did not show, in the order of their turns.
        self._missing: dict[str, None] = {}
        self._reading = False
        self._last_reading = self._now()
        self._next_request = self._now()

    def join(self, job_id: str) -> None:
        """Register an open wait for a job.

        Args:
            job_id: The id of the job.
        """
        if self._process != os.getpid():  # after a fork, forget the waits of the parent process
            self._lock = threading.Lock()
            self._clear()
        with self._lock:
            self._open[job_id] += 1

    def leave(self, job_id: str) -> None:
        """Remove a wait for a job.

        Args:
            job_id: The id of the job.
        """
        with self._lock:
            self._open[job_id] -= 1
            if self._open[job_id] <= 0:
                del self._open[job_id]
                self._seen.pop(job_id, None)
                self._missing.pop(job_id, None)

    @property
    def is_shared(self) -> bool:
        """Whether the waits read the list: several jobs are open, and there is no long-polling."""
        return len(self._open) > 1 and not self.platform_holds

    def look(
        self, job_id: str, status: str | None, *, since: float, interval: Interval, ends: float
    ) -> Flow[JobData | None]:
        """Wait until the list shows a new status of a job, and read the list when that is due.

        Args:
            job_id: The id of the job.
            status: The known status.
            since: The clock time at which the known status was requested.
            interval: The interval after which this wait reads the list again.
            ends: The clock time at which to stop.

        Returns:
            The flow that returns the row of the job when its status has changed. It returns None
            when the job must be read by a single request, or the time is over.
        """
        while True:
            asked_at, row = self._seen.get(job_id, (since, None))
            if row is not None and asked_at >= since and row["status"] != status:
                return row
            if self._now() >= ends or not self.is_shared or self._take_turn(job_id):
                return None
            seconds = interval.next()
            if self._begin_reading(seconds):
                yield from self._read_list(ends)
            else:
                with self._lock:
                    seconds = 1 / MAX_RATE if self._is_near_turn(job_id) else seconds
                yield Sleep(max(0.0, min(seconds, MAX_LOOK, ends - self._now())))

    def _take_turn(self, job_id: str) -> bool:
        """Return whether a job that the list does not show may be read by a single request now."""
        with self._lock:
            if not self._is_near_turn(job_id) or self._reserve() > 0:
                return False
            self._next_request += 1 / MAX_RATE
            del self._missing[job_id]
            self._missing[job_id] = None  # to the end of the queue
            return True

    def _is_near_turn(self, job_id: str) -> bool:
        return job_id in self._missing and job_id in islice(self._missing, MAX_SINGLE_READERS)

    def _reserve(self) -> float:
        """Return the seconds until the next request is allowed."""
        present = self._now()
        self._next_request = max(self._next_request, present - 1 / MAX_RATE)
        return self._next_request - present

    def _begin_reading(self, interval: float) -> bool:
        with self._lock:
            if self._reading or self._now() - self._last_reading < interval:
                return False
            self._reading = True
            self._last_reading = self._now()
            return True

    def _read_list(self, ends: float) -> Flow[None]:
        """Read the list from its start, until every open job was found."""
        with self._lock:
            unseen = set(self._open)
        is_whole = False
        try:
            for number in range(len(unseen) // PAGE_SIZE + 1 + EXTRA_PAGES):
                yield from self._pace()
                asked_at = self._now()
                if asked_at >= ends:  # another wait reads the list again
                    return
                call = list_jobs(limit=PAGE_SIZE, offset=number * PAGE_SIZE)
                reply = yield from send(call, timeout=min(LIST_TIMEOUT, ends - asked_at))
                try:
                    page = reply.value(call)
                except Exception:  # noqa: BLE001  (single reads follow, and report the error)
                    break
                with self._lock:
                    for row in page:
                        if row["id"] in self._open:
                            self._seen[row["id"]] = asked_at, row
                unseen -= {row["id"] for row in page}
                if not unseen or not page:
                    break
            is_whole = True
        finally:
            with self._lock:
                if is_whole:
                    missing = [job_id for job_id in self._missing if job_id in unseen]
                    missing += [job_id for job_id in unseen if job_id in self._open]
                    self._missing = dict.fromkeys(missing)
                self._reading = False

    def _pace(self) -> Flow[None]:
        """Wait until the rate allows the next request, and count it."""
        while True:
            with self._lock:
                pause = self._reserve()
                if pause <= 0:
                    self._next_request += 1 / MAX_RATE
                    return
            yield Sleep(pause)
