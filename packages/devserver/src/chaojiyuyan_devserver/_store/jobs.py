"""Read jobs from the database, complete or as rows of a list; fast even with a million jobs."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from chaojiyuyan_devserver.kernel.records import TERMINAL_STATUSES, Attempt, Event, Job, Payload

if TYPE_CHECKING:
    from .store import Store

MAX_CHARTED = 20_000
"""How many of the newest jobs the charts are restored from."""
_OPEN = "status IN ('bidding', 'running') AND status <> 'succeeded'"
_OPEN_PARTS = f"WHERE job IN (SELECT number FROM jobs WHERE {_OPEN})"  # noqa: S608


def find_job(store: Store, job_id: str) -> Job | None:
    """Return the stored job with this id and all its parts, or None."""
    return _find(store, "WHERE id = ?", job_id)


def find_repeated(store: Store, agent_id: str, idempotency_key: str) -> Job | None:
    """Return the stored job that this agent created with this idempotency key, or None."""
    return _find(store, "WHERE agent_id = ? AND idempotency_key = ?", agent_id, idempotency_key)


def open_jobs(store: Store) -> list[Job]:
    """Return the jobs that have not ended, oldest first."""
    jobs = store.records(Job, f"WHERE {_OPEN} ORDER BY number")
    return _complete(store, jobs, _OPEN_PARTS)


def last_number(store: Store) -> int:
    """Return the number of the newest job, or 0 if there is none."""
    (row,) = store.read("SELECT max(number) AS last FROM jobs")
    return row["last"] or 0


def ended_since(store: Store, moment: float) -> list[tuple[str, float, float]]:
    """Return the status, creation time and end time of the jobs that ended since a time.

    Only the newest jobs are searched: this is for the charts and must not delay the start.
    """
    query = """SELECT status, created_at, completed_at FROM jobs
        WHERE number > (SELECT max(number) FROM jobs) - ? AND completed_at >= ?"""
    return [tuple(row) for row in store.read(query, MAX_CHARTED, moment)]


def count_ended(store: Store) -> dict[str, int]:
    """Return how many jobs have ended, by status."""
    others = """SELECT status, count(*) AS count FROM jobs
        WHERE status <> 'succeeded' GROUP BY status"""
    counts = {row["status"]: row["count"] for row in store.read(others)}
    (total,) = store.read("SELECT count(*) AS count FROM jobs")
    succeeded = total["count"] - sum(counts.values())
    return {"succeeded": succeeded, **{s: counts[s] for s in counts if s in TERMINAL_STATUSES}}


def with_status(status: str) -> tuple[str, list[str]]:
    """Return the SQL condition for a status, and its value."""
    if status == "succeeded":
        return "status = ?", [status]
    return "status = ? AND status <> 'succeeded'", [
        status
    ]  # the second condition lets SQLite use the index


def list_jobs(
    store: Store, agent_id: str, status: str, capability_key: str, *, limit: int, offset: int
) -> list[Job]:
    """Return a caller's jobs without their parts, newest first.

    An empty status or capability key does not restrict the list.
    """
    clauses, values = ["agent_id = ?"], [agent_id]
    if status:
        clause, more = with_status(status)
        clauses.append(clause)
        values += more
    if capability_key:
        clauses.append("capability_key = ?")
        values.append(capability_key)
    where = " AND ".join(clauses)
    where = f"WHERE {where} ORDER BY number DESC LIMIT ? OFFSET ?"
    return store.records(Job, where, *values, limit, offset)


def _find(store: Store, where: str, *values: str) -> Job | None:
    jobs = store.records(Job, where, *values)
    return _complete(store, jobs, "WHERE job = ?", jobs[0].number)[0] if jobs else None


def _complete(store: Store, jobs: list[Job], where: str, *values: Any) -> list[Job]:
    bodies: dict[int, dict[str, Any]] = defaultdict(dict)
    for payload in store.records(Payload, where, *values):
        bodies[payload.job][payload.kind] = payload.body
    by_number = {job.number: job for job in jobs}
    for job in jobs:
        parts = bodies[job.number]
        job.input_envelope = parts["input"]
        job.channel_context = parts.get("context")
        job.output_envelope = parts.get("output")
        job.artifacts = parts.get("artifacts", [])
    for attempt in store.records(Attempt, where, *values):
        by_number[attempt.job].attempts.append(attempt)
    for event in store.records(Event, where, *values):
        by_number[event.job].events.append(event)
    return jobs
