"""Read deliveries and transfers from the database for lists, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chaojiyuyan_devserver.kernel.records import Delivery, Strike

if TYPE_CHECKING:
    from .rows import Row
    from .store import Store

MAX_ROWS = 50


def list_deliveries(store: Store, where: str = "", *values: Any) -> list[Delivery]:
    """Return the newest webhook deliveries that match an SQL condition with its values."""
    return store.records(Delivery, f"{where} ORDER BY number DESC LIMIT {MAX_ROWS}", *values)


def list_transfers(store: Store) -> list[Row]:
    """Return the newest transfers: their columns, ``id``, and the ``job_id`` or None."""
    return [
        dict(row)
        for row in store.read(
            "SELECT transfers.rowid AS id, transfers.*, jobs.id AS job_id FROM transfers"
            " LEFT JOIN jobs ON jobs.number = transfers.job ORDER BY transfers.rowid DESC LIMIT ?",
            MAX_ROWS,
        )
    ]


def list_strikes(store: Store, job: int) -> list[Strike]:
    """Return the faults that were applied to requests about a job, oldest first."""
    return store.records(Strike, "WHERE job = ? ORDER BY rowid", job)
