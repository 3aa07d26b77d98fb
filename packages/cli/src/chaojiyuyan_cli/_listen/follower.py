"""Find the caller's jobs that have ended since the start, by reading the list of jobs."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, get_args

from chaojiyuyan_core.errors import NotFoundError
from chaojiyuyan_core.models import TERMINAL_JOB_STATUSES, JobStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaojiyuyan_client import Job, NexusClient

OPEN_STATUSES: tuple[JobStatus, ...] = tuple(
    status for status in get_args(JobStatus) if status not in TERMINAL_JOB_STATUSES
)
"""The known statuses of jobs that have not ended."""

_KNOWN_IN_A_ROW = 20  # after this many known jobs in a row, the rest of the list is known
_NEWEST = 200  # number of jobs that are read at the start
_MAX_SEEN = 5000  # maximum number of remembered ids
_MAX_SINGLE_READS = 5  # up to this many open jobs are read one by one, more by listing


class JobFollower:
    """Finds each job that ends, once.

    Args:
        client: Reads the jobs.
    """

    def __init__(self, client: NexusClient) -> None:
        self._client = client
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._open: set[str] = set()

    def start(self) -> None:
        """Read the present jobs. Jobs that have ended already are ignored from now on.

        Raises:
            HebingAPIError: The platform refuses the request.
            httpx.HTTPError: The platform cannot be reached.
        """
        self._open = self._list_open()
        newest = list(self._client.jobs(limit=_NEWEST))
        self._remember([job.id for job in newest])
        for job in newest:
            if job.done:  # it may have ended between the two requests
                self._open.discard(job.id)
            else:  # it may have a status that this release does not know
                self._open.add(job.id)

    def poll(self) -> Iterator[Job]:
        """Yield each job that has ended since the last poll, with its output.

        After an error, the next poll yields the jobs that this one did not yield.

        Raises:
            HebingAPIError: The platform refuses the request.
            httpx.HTTPError: The platform cannot be reached.
        """
        self._note_new_jobs()
        for job_id in self._find_candidates():
            try:
                job = self._client.get_job(job_id)
            except NotFoundError:  # the platform has removed the job
                self._open.discard(job_id)
                continue
            if job.done:
                self._open.discard(job_id)
                yield job

    def _note_new_jobs(self) -> None:
        """Read the list of jobs, newest first, until every further job is known."""
        known, fresh = 0, []
        for job in self._client.jobs():
            known = known + 1 if job.id in self._seen else 0
            if known >= _KNOWN_IN_A_ROW:
                break
            if not known:
                fresh.append(job.id)
        # Only now, because after an error the next poll must read the same part of the list again.
        self._remember(fresh)
        self._open.update(fresh)

    def _find_candidates(self) -> list[str]:
        """Return the open jobs that may have ended."""
        if len(self._open) <= _MAX_SINGLE_READS:
            return sorted(self._open)
        return sorted(self._open - self._list_open())

    def _list_open(self) -> set[str]:
        return {job.id for status in OPEN_STATUSES for job in self._client.jobs(status=status)}

    def _remember(self, newest_first: list[str]) -> None:
        for job_id in reversed(newest_first):
            self._seen[job_id] = None
        while len(self._seen) > _MAX_SEEN:
            self._seen.popitem(last=False)
