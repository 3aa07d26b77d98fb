"""What the pages read from the database, by index also where it holds very many jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, literal_column, select

from chaojiyuyan_devserver.kernel.webhooks import Delivery
from chaojiyuyan_devserver.store.tables import deliveries, jobs, transfers

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from chaojiyuyan_devserver.store import Store
    from chaojiyuyan_devserver.store.rows import Row

PAGE = 50


@dataclass(frozen=True)
class JobsPage:
    """Some jobs, newest first.

    ``newer`` and ``older`` are the numbers from which the neighbouring pages start, or None.
    """

    rows: list[Row]
    newer: int | None
    older: int | None


def jobs_page(
    store: Store,
    *,
    status: str = "",
    capability_key: str = "",
    before: int | None = None,
    after: int | None = None,
) -> JobsPage:
    """One page of the jobs list.

    Pages start from a job's number rather than from a count: the hundred-thousandth is found as
    quickly as the first, and new jobs do not shift what is being read.

    Args:
        store: the database.
        status: only jobs of this status.
        capability_key: only jobs of this capability.
        before: only jobs older than the one of this number.
        after: the page next to it on the other side.
    """
    where: list[ColumnElement[bool]] = []
    if status:
        where.append(jobs.c.status == status)
    if capability_key:
        where.append(jobs.c.capability_key == capability_key)
    query = select(jobs).where(*where)
    if after is not None:
        upwards = query.where(jobs.c.number > after).order_by(jobs.c.number).limit(PAGE + 1)
        rows = store.read(upwards)
        if len(rows) > PAGE:
            rows = rows[PAGE - 1 :: -1]
            return JobsPage(rows, rows[0]["number"], after + 1)
        before = None  # there are no more than one page of them: show the newest
    downwards = query.order_by(jobs.c.number.desc()).limit(PAGE + 1)
    if before is not None:
        downwards = downwards.where(jobs.c.number < before)
    rows = store.read(downwards)
    more = len(rows) > PAGE
    rows = rows[:PAGE]
    return JobsPage(
        rows,
        rows[0]["number"] if rows and before is not None else None,
        rows[-1]["number"] if more else None,
    )


def job_counts(store: Store) -> dict[str, int]:
    """How many jobs there are of each status."""
    query = select(jobs.c.status, func.count().label("count")).group_by(jobs.c.status)
    return {row["status"]: row["count"] for row in store.read(query)}


def recent_deliveries(
    store: Store, *, account_id: str | None = None, job_id: str | None = None
) -> list[Delivery]:
    """The newest deliveries, of an account or of a job."""
    query = select(deliveries).order_by(deliveries.c.number.desc()).limit(PAGE)
    if account_id is not None:
        query = query.where(deliveries.c.account_id == account_id)
    if job_id is not None:
        query = query.where(deliveries.c.job_id == job_id)
    return store.load(Delivery, query)


def find_delivery(store: Store, delivery_id: str) -> Delivery | None:
    """One delivery, or None."""
    found = store.records(Delivery, deliveries.c.id == delivery_id)
    return found[0] if found else None


def recent_transfers(store: Store) -> list[Row]:
    """The newest movements of money."""
    query = select(transfers).order_by(literal_column("rowid").desc()).limit(PAGE)
    return store.read(query)
