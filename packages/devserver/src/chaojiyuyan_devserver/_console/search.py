"""Finds jobs for the list: by status, capability, text, id and time, newest first.

A page starts at a job's number instead of an offset, so every page is found equally fast and new
jobs do not shift the rows. A search without an index reads slices of numbers, so that the kernel
serves other requests in between and the search can stop at its time limit.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from typing import Any

from chaojiyuyan_devserver._store import Store, last_number, with_status
from chaojiyuyan_devserver._store.rows import Row

MAX_ROWS = 50
"""How many rows a list on a page has."""

SEARCH_TIMEOUT = 0.5
"""Seconds after which a search stops with what it has found."""

MAX_PREVIEW = 160
"""How many characters of a job's input the list shows."""

MAX_NEW = 1000
"""The highest count of new jobs that is shown."""

_JOB_ID_LENGTH = 28
_SLICE = 2000  # jobs read in one query where no index helps: a few milliseconds


@dataclass(frozen=True)
class JobFilter:
    """The criteria of a search. An empty field does not restrict it.

    Attributes:
        status: Jobs with this status.
        capability: Jobs of this capability key.
        text: Jobs with this text in their input, output, error, idempotency key or id; the id of
            a task run or an agent finds its jobs.
        since: Jobs created at this time or later, in seconds since the epoch.
        until: Jobs created before this time, in seconds since the epoch.
    """

    status: str = ""
    capability: str = ""
    text: str = ""
    since: float | None = None
    until: float | None = None

    def conditions(self) -> tuple[str, list[Any]]:
        """Return the condition for a row of ``jobs`` in SQL, without the times, and its values."""
        clauses, values = ["1"], []
        if self.status:
            clause, more = with_status(self.status)
            clauses.append(clause)
            values += more
        if self.capability:
            clauses.append("capability_key = ?")
            values.append(self.capability)
        if self.text:
            clause, more = _mentions(self.text)
            clauses.append(clause)
            values += more
        return " AND ".join(clauses), values

    @property
    def is_indexed(self) -> bool:
        """Whether an index serves the search, so that a single query is fast."""
        by_id = self.text.startswith("agt_") or _is_job_id(self.text)
        return not self.capability and (not self.text or by_id)


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
    low, high = _bounds(store, wanted)
    search = _Search(store, wanted, seconds)
    if after is not None:
        rows, _ = await search.look(max(low, after + 1), high, upwards=True)
        if len(rows) > MAX_ROWS:
            rows = rows[MAX_ROWS - 1 :: -1]
            return JobsPage(_with_parts(store, rows), rows[0]["number"], after + 1)
        before = None  # these are at most one page: show the newest page
    top = high if before is None else min(high, before)
    rows, reached = await search.look(low, top, upwards=False)
    is_newest = before is None or not rows
    newer = None if is_newest else rows[0]["number"]
    if len(rows) > MAX_ROWS:
        rows = rows[:MAX_ROWS]
        return JobsPage(_with_parts(store, rows), newer, rows[-1]["number"])
    older = reached if reached > low else None
    return JobsPage(_with_parts(store, rows), newer, older, is_partial=older is not None)


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
            if not await self._may_go_on():
                break
        return rows, low if upwards else high

    def _between(self, low: int, high: int, order: str, limit: int) -> list[Row]:
        query = (
            f"SELECT * FROM jobs WHERE {self._where}"  # noqa: S608 - fixed clauses
            f" AND number >= ? AND number < ? ORDER BY number {order} LIMIT ?"
        )
        return [dict(row) for row in self._store.read(query, *self._values, low, high, limit)]

    async def _may_go_on(self) -> bool:
        await asyncio.sleep(0)
        return self._loop.time() < self._deadline


def _bounds(store: Store, wanted: JobFilter) -> tuple[int, int]:
    low = 1 if wanted.since is None else number_from(store, wanted.since)
    high = last_number(store) + 1 if wanted.until is None else number_from(store, wanted.until)
    return low, high


def _is_job_id(text: str) -> bool:
    return text.startswith("job_") and len(text) == _JOB_ID_LENGTH


def _mentions(text: str) -> tuple[str, list[Any]]:
    if _is_job_id(text):
        return "id = ?", [text]
    if text.startswith("agt_"):
        return "agent_id = ?", [text]
    if text.startswith("run_"):
        found = "SELECT 1 FROM attempts WHERE job = jobs.number AND task_run_id = ?"
        return f"EXISTS ({found})", [text]
    columns = ("id", "capability_key", "idempotency_key", "error_code", "error_message")
    clauses = [f"{column} LIKE ? ESCAPE '!'" for column in columns]
    found = "SELECT 1 FROM payloads WHERE job = jobs.number AND body LIKE ? ESCAPE '!'"
    clauses.append(f"EXISTS ({found})")
    # Payloads are stored as JSON, so the search text is escaped as in JSON.
    encoded = json.dumps(text, ensure_ascii=False)[1:-1]
    return f"({' OR '.join(clauses)})", [*[_pattern(text)] * len(columns), _pattern(encoded)]


def _pattern(text: str) -> str:
    for special in "!%_":
        text = text.replace(special, "!" + special)
    return f"%{text}%"


def _with_parts(store: Store, rows: list[Row]) -> list[Row]:
    numbers = [row["number"] for row in rows]
    among = f"job IN ({', '.join('?' * len(numbers))})"
    columns = f"job, substr(body, 1, {MAX_PREVIEW}) AS preview"
    inputs = f"SELECT {columns} FROM payloads WHERE {among} AND kind = 'input'"  # noqa: S608
    previews = {row["job"]: row["preview"] for row in store.read(inputs, *numbers)}
    tried: dict[int, list[str]] = {}
    runs = f"SELECT job, agent_id FROM attempts WHERE {among} ORDER BY job, number"  # noqa: S608
    for run in store.read(runs, *numbers):
        tried.setdefault(run["job"], []).append(run["agent_id"])
    return [
        {
            **row,
            "preview": previews.get(row["number"], ""),
            "attempts": len(tried.get(row["number"], ())),
            "worker": tried.get(row["number"], [None])[-1],
        }
        for row in rows
    ]
