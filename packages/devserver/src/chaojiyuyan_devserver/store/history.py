"""Jobs out of the database, whole or as rows of a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, select

from chaojiyuyan_devserver.kernel.records import Attempt, Event, Job, Payload

from .rows import MAPPINGS, Row
from .tables import attempts, events, jobs, payloads

if TYPE_CHECKING:
    from .store import Store


_BY_ID = select(jobs).where(jobs.c.id == bindparam("job_id"))
_REPEATED = select(jobs).where(
    jobs.c.agent_id == bindparam("agent_id"),
    jobs.c.idempotency_key == bindparam("idempotency_key"),
)
_PAYLOADS = select(payloads).where(payloads.c.job_id == bindparam("job_id"))
_ATTEMPTS = select(attempts).where(attempts.c.job_id == bindparam("job_id"))
_EVENTS = select(events).where(events.c.job_id == bindparam("job_id"))


def find_job(store: Store, job_id: str) -> Job | None:
    """The stored job of this id with all its parts, or None."""
    rows = store.read(_BY_ID, job_id=job_id)
    return _whole(store, rows[0]) if rows else None


def find_repeated(store: Store, agent_id: str, idempotency_key: str) -> Job | None:
    """The stored job that this agent made with this idempotency key, or None."""
    rows = store.read(_REPEATED, agent_id=agent_id, idempotency_key=idempotency_key)
    return _whole(store, rows[0]) if rows else None


def open_jobs(store: Store) -> list[Job]:
    """The jobs that have not ended, oldest first."""
    query = select(jobs).where(jobs.c.status.in_(("bidding", "running"))).order_by(jobs.c.number)
    return [_whole(store, row) for row in store.read(query)]


def last_number(store: Store) -> int:
    """The number of the newest job."""
    rows = store.read(select(func.max(jobs.c.number).label("last")))
    return rows[0]["last"] or 0


def ended_since(store: Store, moment: float) -> list[tuple[str, float, float]]:
    """Return status, creation and end of the jobs that ended since a moment.

    Looked for among the newest 20,000 jobs: it is for charts, and must not delay the start.
    """
    newest = select(jobs).order_by(jobs.c.number.desc()).limit(20_000).subquery()
    query = select(newest.c.status, newest.c.created_at, newest.c.completed_at).where(
        newest.c.completed_at >= moment
    )
    return [(row["status"], row["created_at"], row["completed_at"]) for row in store.read(query)]


def list_jobs(
    store: Store,
    *,
    agent_id: str | None = None,
    status: str | None = None,
    capability_key: str | None = None,
    limit: int,
    offset: int = 0,
) -> list[Job]:
    """Jobs without their parts, newest first."""
    query = select(jobs).order_by(jobs.c.number.desc()).limit(limit).offset(offset)
    if agent_id is not None:
        query = query.where(jobs.c.agent_id == agent_id)
    if status is not None:
        query = query.where(jobs.c.status == status)
    if capability_key is not None:
        query = query.where(jobs.c.capability_key == capability_key)
    return [_bare(row) for row in store.read(query)]


def _bare(row: Row) -> Job:
    return Job(**MAPPINGS[Job].values(row), input_envelope={}, channel_context=None)


def _whole(store: Store, row: Row) -> Job:
    job = _bare(row)
    bodies: dict[str, Any] = {p.kind: p.body for p in store.load(Payload, _PAYLOADS, job_id=job.id)}
    job.input_envelope = bodies["input"]
    job.channel_context = bodies.get("context")
    job.output_envelope = bodies.get("output")
    job.artifacts = bodies.get("artifacts", [])
    job.attempts = store.load(Attempt, _ATTEMPTS, job_id=job.id)
    job.events = store.load(Event, _EVENTS, job_id=job.id)
    return job
