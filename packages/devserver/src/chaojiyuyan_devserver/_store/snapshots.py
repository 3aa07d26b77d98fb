"""Snapshots: the whole database in one file, with the kernel's time and the ready key."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from .rows import TABLES
from .store import VERSION, Store

SAVED_AT = "snapshot_saved_at"
READY_KEY = "snapshot_ready_key"


class SnapshotError(Exception):
    """A file is not a snapshot for this kernel; the message, one line, says why."""


def save_snapshot(store: Store, *, saved_at: float, ready_key: str) -> bytes:
    """Return the whole database as the content of a file.

    Args:
        store: The database, without an open transaction.
        saved_at: The kernel's time, in seconds since the epoch.
        ready_key: The ready agent's key; the database has only its hash.

    Returns:
        The content. It is secret: it contains the ready agent's key and webhook secrets.
    """
    with _private_file() as path:
        store.database.execute("VACUUM INTO ?", [str(path)])
        facts = [(SAVED_AT, repr(saved_at)), (READY_KEY, ready_key)]
        with closing(sqlite3.connect(path)) as snapshot, snapshot:  # committed, then closed
            snapshot.executemany("INSERT OR REPLACE INTO settings VALUES (?, ?)", facts)
        return path.read_bytes()


@contextmanager
def replace_by_snapshot(store: Store, content: bytes) -> Iterator[tuple[float, str]]:
    """Replace everything in the database with a snapshot, in one transaction.

    The transaction is committed when the ``with`` block ends, and rolled back when it raises.

    Args:
        store: The database, without an open transaction.
        content: The snapshot's content.

    Yields:
        The time when the snapshot was saved, in seconds since the epoch; and the ready agent's key.

    Raises:
        SnapshotError: The file is not a snapshot, or is damaged, or has another version.
    """
    try:
        with _private_file() as path:
            path.write_bytes(content)
            with _attached(store, path), store.transaction():
                store.clear()
                _copy(store)
                _check_references(store)
                yield _take_facts(store)
    except (sqlite3.Error, KeyError, TypeError, ValueError) as error:
        raise SnapshotError(f"The file is not a snapshot of a local kernel: {error}") from None


@contextmanager
def _private_file() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:  # mode 0700
        yield Path(folder, "snapshot.db")


@contextmanager
def _attached(store: Store, path: Path) -> Iterator[None]:
    store.database.execute("ATTACH ? AS snapshot", [f"{path.as_uri()}?mode=ro"])
    try:
        _check_version(store)
        yield
    finally:
        store.database.execute("DETACH snapshot")


def _check_version(store: Store) -> None:
    (version,) = store.database.execute("PRAGMA snapshot.user_version").fetchone()
    if version > VERSION:
        raise SnapshotError(
            f"The snapshot has a newer version ({version}; this kernel reads {VERSION})."
            " Upgrade chaojiyuyan-devserver."
        )
    if version != VERSION:
        raise SnapshotError("The file is not a snapshot of a local kernel.")


def _copy(store: Store) -> None:
    for name in ("settings", *(table.name for table in TABLES.values())):
        info = store.read(f"PRAGMA main.table_info({name})")
        columns = ", ".join(row["name"] for row in info)
        wrong = [f"typeof({row['name']}) NOT IN ('{row['type'].lower()}', 'null')" for row in info]
        # SQLite reads a table in the order of its key, so the rows keep their order.
        store.database.execute(
            f"INSERT INTO main.{name} ({columns}) SELECT {columns} FROM snapshot.{name}"  # noqa: S608
        )
        if store.read(f"SELECT 1 FROM main.{name} WHERE {' OR '.join(wrong)} LIMIT 1"):  # noqa: S608
            raise SnapshotError(f"The snapshot is damaged: a value in {name} has the wrong type.")


def _check_references(store: Store) -> None:
    orphans = store.read(
        "SELECT id FROM jobs WHERE agent_id NOT IN (SELECT id FROM agents)"
        " OR account_id NOT IN (SELECT id FROM accounts) LIMIT 1"
    )
    if orphans:
        raise SnapshotError(f"The snapshot is damaged: {orphans[0]['id']} has no caller.")


def _take_facts(store: Store) -> tuple[float, str]:
    saved_at, ready_key = store.setting(SAVED_AT), store.setting(READY_KEY)
    if saved_at is None or ready_key is None:
        raise SnapshotError("The file is not a snapshot of a local kernel.")
    store.database.execute("DELETE FROM settings WHERE name IN (?, ?)", [SAVED_AT, READY_KEY])
    return float(saved_at), ready_key
