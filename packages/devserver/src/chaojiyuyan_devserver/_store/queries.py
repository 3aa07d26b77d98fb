"""Read the kernel's state, jobs and lists from the database; fast even with a million jobs."""

import gc
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chaojiyuyan_devserver.kernel import State
from chaojiyuyan_devserver.kernel.records import (
    TERMINAL_STATUSES,
    Account,
    Agent,
    Attempt,
    Delivery,
    DeviceLogin,
    Event,
    Job,
    Payload,
    Webhook,
)

from .filters import JobFilter
from .rows import Row
from .store import Store

MAX_CHARTED = 20_000
"""How many of the newest jobs the charts are restored from."""
MAX_LISTED = 50
"""How many deliveries or transfers a list has."""
_OPEN = "status IN ('bidding', 'running') AND status <> 'succeeded'"
_OPEN_PARTS = f"WHERE job IN (SELECT number FROM jobs WHERE {_OPEN})"  # noqa: S608


def load_state(store: Store) -> State:
    """Return the stored state; jobs that have ended stay in the database."""
    with _without_collector():
        return State(
            store.records(Account),
            store.records(Agent),
            store.records(DeviceLogin),
            store.records(Webhook),
            store.records(Delivery, "WHERE status = 'pending'"),
            _complete(store, store.records(Job, f"WHERE {_OPEN} ORDER BY number"), _OPEN_PARTS),
            last_number(store),
        )


@contextmanager
def _without_collector() -> Iterator[None]:
    # The collector would traverse all records several times while they load, and free none.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def find_job(store: Store, job_id: str) -> Job | None:
    """Return the stored job with this id and all its parts, or None."""
    return _find(store, "WHERE id = ?", job_id)


def find_repeated(store: Store, agent_id: str, idempotency_key: str) -> Job | None:
    """Return the stored job that this agent created with this idempotency key, or None."""
    return _find(store, "WHERE agent_id = ? AND idempotency_key = ?", agent_id, idempotency_key)


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


def list_jobs(
    store: Store, agent_id: str, wanted: JobFilter, *, limit: int, offset: int
) -> list[Job]:
    """Return a caller's jobs without their parts, newest first."""
    condition, values = wanted.conditions()
    where = f"WHERE agent_id = ? AND {condition} ORDER BY number DESC LIMIT ? OFFSET ?"
    return store.records(Job, where, agent_id, *values, limit, offset)


def list_deliveries(store: Store, where: str = "", *values: Any) -> list[Delivery]:
    """Return the newest webhook deliveries that match an SQL condition with its values."""
    return store.records(Delivery, f"{where} ORDER BY number DESC LIMIT {MAX_LISTED}", *values)


def list_transfers(store: Store) -> list[Row]:
    """Return the newest transfers: their columns, ``id``, and the ``job_id`` or None."""
    query = """SELECT transfers.rowid AS id, transfers.*, jobs.id AS job_id FROM transfers
        LEFT JOIN jobs ON jobs.number = transfers.job ORDER BY transfers.rowid DESC LIMIT ?"""
    return [dict(row) for row in store.read(query, MAX_LISTED)]


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
