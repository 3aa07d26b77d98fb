"""What several pages read from the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaojiyuyan_devserver._store import list_deliveries

if TYPE_CHECKING:
    from chaojiyuyan_devserver._store import Store
    from chaojiyuyan_devserver.kernel.records import Delivery


def recent_deliveries(
    store: Store, *, account_id: str | None = None, job_id: str | None = None
) -> list[Delivery]:
    """Return the newest deliveries, of an account or of a job."""
    if job_id is not None:
        return list_deliveries(store, "WHERE job_id = ?", job_id)
    return list_deliveries(store, "WHERE account_id = ?", account_id)


def find_delivery(store: Store, delivery_id: str) -> Delivery | None:
    """Return one delivery, or None."""
    found = list_deliveries(store, "WHERE id = ?", delivery_id)
    return found[0] if found else None
