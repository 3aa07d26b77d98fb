"""What the pages read from the database, by index also where it holds very many jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, literal_column, select

from chaojiyuyan_devserver.kernel.webhooks import Delivery
from chaojiyuyan_devserver.store.tables import deliveries, jobs, transfers

if TYPE_CHECKING:
    from chaojiyuyan_devserver.store import Store
    from chaojiyuyan_devserver.store.rows import Row

MAX_ROWS = 50
"""How many rows a list on a page has."""


def job_counts(store: Store) -> dict[str, int]:
    """Return how many jobs there are of each status."""
    query = select(jobs.c.status, func.count().label("count")).group_by(jobs.c.status)
    return {row["status"]: row["count"] for row in store.read(query)}


def recent_deliveries(
    store: Store, *, account_id: str | None = None, job_id: str | None = None
) -> list[Delivery]:
    """Return the newest deliveries, of an account or of a job."""
    query = select(deliveries).order_by(deliveries.c.number.desc()).limit(MAX_ROWS)
    if account_id is not None:
        query = query.where(deliveries.c.account_id == account_id)
    if job_id is not None:
        query = query.where(deliveries.c.job_id == job_id)
    return store.load(Delivery, query)


def find_delivery(store: Store, delivery_id: str) -> Delivery | None:
    """Return one delivery, or None."""
    found = store.records(Delivery, deliveries.c.id == delivery_id)
    return found[0] if found else None


def recent_transfers(store: Store) -> list[Row]:
    """Return the newest movements of money."""
    query = select(transfers).order_by(literal_column("rowid").desc()).limit(MAX_ROWS)
    return store.read(query)
