"""Which of the caller's jobs have ended since the start, found by reading the list of jobs."""

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
"""The statuses of jobs that have not ended, as far as they are known."""

_KNOWN_IN_A_ROW = 20  # jobs seen before, after which the rest of the list is known too
_NEWEST = 200  # jobs that are looked at in the beginning
_MAX_SEEN = 5000  # ids that are remembered
_MAX_SINGLE_READS = 5  # open jobs that are read one by one; more are looked up in the lists


class JobFollower:
    """Finds the jobs that end, each once.

    Args:
        client: Reads the jobs.
    """

    def __init__(self, client: NexusClient) -> None:
        self._client = client
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._open: set[str] = set()

    def start(self) -> None:
        """Take note of what there is: jobs that have ended by now are none of ours.

        Raises:
            HebingAPIError: The platform refuses.
            httpx.HTTPError: The platform cannot be reached.
        """
        self._open = self._list_open()
        newest = list(self._client.jobs(limit=_NEWEST))
        self._remember([job.id for job in newest])
        for job in newest:
            if job.done:  # it has ended between the two lists
                self._open.discard(job.id)
            else:  # perhaps in a status that is not known here
                self._open.add(job.id)

    def poll(self) -> Iterator[Job]:
        """Yield each job that has ended since the last poll, with its output.

        A fault in the middle loses nothing: what was not yielded comes with the next poll.

        Raises:
            HebingAPIError: The platform refuses.
            httpx.HTTPError: The platform cannot be reached.
        """
        self._note_new_jobs()
        for job_id in self._find_candidates():
            try:
                job = self._client.get_job(job_id)
            except NotFoundError:  # removed by the platform
                self._open.discard(job_id)
                continue
            if job.done:
                self._open.discard(job_id)
                yield job

    def _note_new_jobs(self) -> None:
        """Read the list, newest first, down to where every job is known."""
        known, fresh = 0, []
        for job in self._client.jobs():
            known = known + 1 if job.id in self._seen else 0
            if known >= _KNOWN_IN_A_ROW:
                break
            if not known:
                fresh.append(job.id)
        # All at once, after the list was read to its end: else a fault could hide the rest.
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
