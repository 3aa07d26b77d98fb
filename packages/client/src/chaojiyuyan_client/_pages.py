"""A walk through the pages of a listing of jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaojiyuyan_core import api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaojiyuyan_core.api import Call
    from chaojiyuyan_core.models import JobData, JobStatus

PAGE_SIZE = 50
"""Jobs that one request of a listing asks for."""

MAX_STALLED_PAGES = 3
"""Pages in a row that lead no further down the listing, after which a walk ends."""


class JobPages:
    """The calls of a walk through the caller's own jobs, and what each page brings.

    How a platform cuts its pages is not known. The walk ends with an empty page, and with the same
    page once more: that platform does not page. New jobs shift the pages while they are read, so
    that a page may bring only known jobs though there are more; but a platform that ignores
    `offset` gives no others for ever, so the walk ends after a few pages that lead no further.
    """

    def __init__(
        self, status: JobStatus | None, capability_key: str | None, limit: int | None
    ) -> None:
        """Start at the first page.

        Args:
            status: Only jobs in this status.
            capability_key: Only jobs of this capability.
            limit: The number of jobs after which the walk ends; None for all.

        Raises:
            ValueError: The limit is negative or not a whole number.
        """
        if limit is not None and (not isinstance(limit, int) or limit < 0):
            raise ValueError(f"limit must be a whole number, 0 or more, not {limit!r}")
        self._status = status
        self._capability_key = capability_key
        self._left = limit
        self._seen: set[str] = set()
        self._last_page: set[str] = set()
        self._offset = 0
        self._stalled = 0
        self._more = limit != 0

    def calls(self) -> Iterator[Call[list[JobData]]]:
        """Yield the call of each page; its answer goes to :meth:`unseen` before the next."""
        while self._more:
            yield api.list_jobs(
                limit=PAGE_SIZE if self._left is None else min(PAGE_SIZE, self._left),
                offset=self._offset,
                status=self._status,
                capability_key=self._capability_key,
            )

    def unseen(self, page: list[JobData]) -> list[JobData]:
        """Return the jobs that no page before this one has brought.

        Args:
            page: The answer to the last call.
        """
        new = [job for job in page if job["id"] not in self._seen]
        ids = {job["id"] for job in page}
        leads_on = bool(page) and page[-1]["id"] not in self._seen
        self._stalled = 0 if leads_on else self._stalled + 1
        self._more = bool(new) or (bool(ids) and ids != self._last_page)
        self._more = self._more and self._stalled < MAX_STALLED_PAGES
        self._last_page = ids
        self._seen |= ids
        self._offset += len(page)
        if self._left is not None:
            new = new[: self._left]
            self._left -= len(new)
            self._more = self._more and self._left > 0
        return new
