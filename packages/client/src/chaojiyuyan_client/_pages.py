"""Read a list of jobs page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaojiyuyan_core import api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaojiyuyan_core.api import Call
    from chaojiyuyan_core.models import JobData, JobStatus

PAGE_SIZE = 50
"""Number of jobs on a page."""

MAX_STALLED_PAGES = 3
"""Maximum number of consecutive pages without progress before the listing ends."""


class JobPages:
    """The requests for the pages of the caller's jobs, and the new jobs on each page.

    The listing ends at an empty page. It also ends when a page repeats, because such a platform
    has no pages. New jobs shift the pages while they are read, so a page may contain only known
    jobs although more jobs follow. But a platform that ignores `offset` sends known jobs forever,
    so the listing also ends after a few pages without progress.
    """

    def __init__(
        self, status: JobStatus | None, capability_key: str | None, limit: int | None
    ) -> None:
        """Start at the first page.

        Args:
            status: Filter by status; None for any status.
            capability_key: Filter by capability; None for any capability.
            limit: Maximum number of jobs; None for all.

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
        """Yield the request of each page. Pass its result to :meth:`unseen` before the next."""
        while self._more:
            yield api.list_jobs(
                limit=PAGE_SIZE if self._left is None else min(PAGE_SIZE, self._left),
                offset=self._offset,
                status=self._status,
                capability_key=self._capability_key,
            )

    def unseen(self, page: list[JobData]) -> list[JobData]:
        """Return the jobs of a page that were not on an earlier page.

        Args:
            page: The result of the last request.
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
