"""Polling that the waits of one client share, where the platform does not hold its answers.

A wait that is alone asks for its job at growing intervals. With others beside it, they read the
list of the caller's own jobs instead: one request tells about fifty of them. There is no thread of
its own: whichever wait looks first when a reading is due makes it, and the others see what it
brought when they look. All requests together keep to one rate, those included that ask for a single
job because the list did not show it.
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
"""Seconds between the first two polls of a wait, and the minimum of its longest interval."""

GROWTH = 1.25
"""Each interval to the one before it."""

MAX_RATE = 8.0
"""Requests a second of all waits together; the platform's limit for one client is ten."""

MAX_LOOK = 1.0
"""Seconds between two looks of a wait at what the others have brought."""

LIST_TIMEOUT = 10.0
"""Seconds for one page of the list; a page that takes longer counts as failed."""

EXTRA_PAGES = 2
"""Pages that are read beyond those that the open jobs would fill, before single reads take over."""

MAX_SINGLE_READERS = 8
"""Waits that may take turns for a single read at a time, so that none of them starves."""


@dataclass(slots=True)
class Interval:
    """Seconds between two polls of one wait.

    They grow, so that a job is noticed within a quarter of the time that it took.

    Attributes:
        seconds: The present interval.
        longest: The longest interval.
    """

    seconds: float
    longest: float

    def next(self) -> float:
        """Return the present interval, and grow."""
        present = min(self.seconds, self.longest)
        self.seconds *= GROWTH
        return present


class SharedPolling:
    """The open waits of one client, and what the list of jobs last told about them.

    Attributes:
        platform_holds: Whether the platform was last seen to hold its answers (RFC 7240).

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
        self._seen: dict[str, tuple[float, JobData]] = {}  # when the list was asked, and its row
        self._missing: dict[str, None] = {}  # not on the list: they take turns, in this order
        self._reading = False
        self._last_reading = self._now()
        self._next_request = self._now()

    def join(self, job_id: str) -> None:
        """Note that a wait for a job is open.

        Args:
            job_id: The job.
        """
        if self._process != os.getpid():  # the waits of a parent process are none of ours
            self._lock = threading.Lock()
            self._clear()
        with self._lock:
            self._open[job_id] += 1

    def leave(self, job_id: str) -> None:
        """Note that a wait for a job has ended.

        Args:
            job_id: The job.
        """
        with self._lock:
            self._open[job_id] -= 1
            if self._open[job_id] <= 0:
                del self._open[job_id]
                self._seen.pop(job_id, None)
                self._missing.pop(job_id, None)

    @property
    def is_shared(self) -> bool:
        """Whether the waits read the list: several jobs are open, and no answers are held."""
        return len(self._open) > 1 and not self.platform_holds

    def look(
        self, job_id: str, status: str | None, *, since: float, interval: Interval, ends: float
    ) -> Flow[JobData | None]:
        """Look at what the list tells about a job, and read the list where that is due.

        Args:
            job_id: The job.
            status: The status that is known already.
            since: When that status was asked for, by the clock.
            interval: The seconds after which the wait wants the list to be read again.
            ends: When to stop, by the clock.

        Returns:
            The flow that returns the job's row, once it shows another status; None when it is the
            job's turn to be read by itself, or the time is over.
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
        """Whether the job may be read by itself now: the list does not show it."""
        with self._lock:
            if not self._is_near_turn(job_id) or self._reserve() > 0:
                return False
            self._next_request += 1 / MAX_RATE
            del self._missing[job_id]
            self._missing[job_id] = None  # to the end of the line
            return True

    def _is_near_turn(self, job_id: str) -> bool:
        return job_id in self._missing and job_id in islice(self._missing, MAX_SINGLE_READERS)

    def _reserve(self) -> float:
        """Seconds until the next request may be made."""
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
        """Read the list from its beginning, until every open job has been seen."""
        with self._lock:
            unseen = set(self._open)
        is_whole = False
        try:
            for number in range(len(unseen) // PAGE_SIZE + 1 + EXTRA_PAGES):
                yield from self._pace()
                asked_at = self._now()
                if asked_at >= ends:  # another wait goes on, from the beginning
                    return
                call = list_jobs(limit=PAGE_SIZE, offset=number * PAGE_SIZE)
                reply = yield from send(call, timeout=min(LIST_TIMEOUT, ends - asked_at))
                try:
                    page = reply.value(call)
                except Exception:  # noqa: BLE001  (single reads take over, and tell what is wrong)
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
        """Wait for the next request that the rate allows, and take it."""
        while True:
            with self._lock:
                pause = self._reserve()
                if pause <= 0:
                    self._next_request += 1 / MAX_RATE
                    return
            yield Sleep(pause)
