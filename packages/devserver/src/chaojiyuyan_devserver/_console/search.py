"""Finds jobs for the list: by status, capability, text, id and time, newest first.

A page starts at a job's number instead of an offset, so every page is found equally fast and new
jobs do not shift the rows. A search without an index reads slices of numbers, so that the kernel
serves other requests in between and the search can stop at its time limit.
"""

import asyncio
import sys
from dataclasses import dataclass

from chaojiyuyan_devserver._store.filters import JobFilter
from chaojiyuyan_devserver._store.queries import last_number
from chaojiyuyan_devserver._store.rows import Row
from chaojiyuyan_devserver._store.store import Store

MAX_ROWS = 50
"""How many rows a list on a page has."""

SEARCH_TIMEOUT = 0.5
"""Seconds after which a search stops with what it has found."""

MAX_PREVIEW = 160
"""How many characters of a job's input the list shows."""

MAX_NEW = 1000
"""The highest count of new jobs that is shown."""

_PARTS = f"""
    ifnull((SELECT substr(body, 1, {MAX_PREVIEW}) FROM payloads
        WHERE job = jobs.number AND kind = 'input'), '') AS preview,
    (SELECT count(*) FROM attempts WHERE job = jobs.number) AS attempts,
    (SELECT agent_id FROM attempts WHERE job = jobs.number ORDER BY attempts.number DESC LIMIT 1)
        AS worker"""  # noqa: S608 - a number
_SLICE = 2000  # jobs read in one query where no index helps: a few milliseconds


@dataclass(frozen=True)
class JobsPage:
    """One page of jobs, newest first.

    Attributes:
        rows: The jobs' columns, with ``preview`` (the start of the input), ``attempts`` (their
            number) and ``worker`` (the last worker).
        newer: The number after which the next newer page starts, or None.
        older: The number before which the next older page starts, or None.
        is_partial: Whether the search stopped early, so there may be more jobs from ``older`` on.
    """

    rows: list[Row]
    newer: int | None
    older: int | None
    is_partial: bool = False


async def find_jobs(
    store: Store,
    wanted: JobFilter,
    *,
    before: int | None = None,
    after: int | None = None,
    seconds: float = SEARCH_TIMEOUT,
) -> JobsPage:
    """Find one page of jobs.

    Args:
        store: The database.
        wanted: The criteria.
        before: Only jobs with a lower number than this.
        after: The page of the next newer jobs after this number; ``before`` is then ignored.
        seconds: The longest time to search, in seconds.
    """
    low = 1 if wanted.since is None else number_from(store, wanted.since)
    high = last_number(store) + 1 if wanted.until is None else number_from(store, wanted.until)
    search = _Search(store, wanted, seconds)
    if after is not None:
        rows, _ = await search.look(max(low, after + 1), high, upwards=True)
        if len(rows) > MAX_ROWS:
            rows = rows[MAX_ROWS - 1 :: -1]
            return JobsPage(rows, rows[0]["number"], after + 1)
        before = None  # these are at most one page: show the newest page
    top = high if before is None else min(high, before)
    rows, reached = await search.look(low, top, upwards=False)
    is_newest = before is None or not rows
    newer = None if is_newest else rows[0]["number"]
    if len(rows) > MAX_ROWS:
        rows = rows[:MAX_ROWS]
        return JobsPage(rows, newer, rows[-1]["number"])
    older = reached if reached > low else None
    return JobsPage(rows, newer, older, is_partial=older is not None)


def count_new(store: Store, wanted: JobFilter, number: int) -> int:
    """Return how many jobs of a search have a higher number than this, at most ``MAX_NEW``."""
    where, values = wanted.conditions()
    newer = f"SELECT 1 FROM jobs WHERE number > ? AND {where} LIMIT {MAX_NEW}"  # noqa: S608
    (row,) = store.read(f"SELECT count(*) AS count FROM ({newer})", number, *values)  # noqa: S608
    return int(row["count"])


def number_from(store: Store, moment: float) -> int:
    """Return the number of the first job that was created at a time or later.

    Numbers follow the order of creation, so this is a binary search and needs no index on the
    time. If there is no such job, it is one more than the last number.
    """
    low, high = 0, last_number(store) + 1
    while low < high:
        middle = (low + high) // 2
        found = store.read(
            "SELECT number, created_at FROM jobs WHERE number >= ? ORDER BY number LIMIT 1", middle
        )
        if found and found[0]["created_at"] < moment:
            low = found[0]["number"] + 1
        else:
            high = middle
    return low


class _Search:
    """One search: the matching rows between two numbers, in one query or in slices."""

    def __init__(self, store: Store, wanted: JobFilter, seconds: float) -> None:
        self._store = store
        self._where, self._values = wanted.conditions()
        self._slice = sys.maxsize if wanted.is_indexed else _SLICE
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.time() + seconds

    async def look(self, low: int, high: int, *, upwards: bool) -> tuple[list[Row], int]:
        """Return at most one row more than a page, and the number where the search stopped."""
        rows: list[Row] = []
        while low < high and len(rows) <= MAX_ROWS:
            size = min(high - low, self._slice)
            start = low if upwards else high - size
            order = "ASC" if upwards else "DESC"
            rows += self._between(start, start + size, order, MAX_ROWS + 1 - len(rows))
            low, high = (low + size, high) if upwards else (low, start)
            await asyncio.sleep(0)  # other requests are served in between
            if self._loop.time() >= self._deadline:
                break
        return rows, low if upwards else high

    def _between(self, low: int, high: int, order: str, limit: int) -> list[Row]:
        query = (
            f"SELECT *, {_PARTS} FROM jobs WHERE {self._where}"  # noqa: S608 - fixed clauses
            f" AND number >= ? AND number < ? ORDER BY number {order} LIMIT ?"
        )
        return [dict(row) for row in self._store.read(query, *self._values, low, high, limit)]
