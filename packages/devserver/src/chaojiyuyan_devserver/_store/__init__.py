"""Storage of the kernel's state in SQLite."""

from .jobs import (
    count_ended,
    ended_since,
    find_job,
    find_repeated,
    last_number,
    list_jobs,
    with_status,
)
from .lists import list_deliveries, list_strikes, list_transfers
from .snapshots import SnapshotError, replace_by_snapshot, save_snapshot
from .state import load_state
from .store import Store, StoreError

__all__ = [
    "SnapshotError",
    "Store",
    "StoreError",
    "count_ended",
    "ended_since",
    "find_job",
    "find_repeated",
    "last_number",
    "list_deliveries",
    "list_jobs",
    "list_strikes",
    "list_transfers",
    "load_state",
    "replace_by_snapshot",
    "save_snapshot",
    "with_status",
]
