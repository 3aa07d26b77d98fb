"""The kernel's SQLite database: writes changed records and reads records."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from .rows import TABLES

RecordT = TypeVar("RecordT")

VERSION = 1
"""The version of ``schema.sql``, kept in the database as ``PRAGMA user_version``."""


class StoreError(Exception):
    """A database cannot be used; the message says why and what to do."""


class Store:
    """The database.

    It has one connection, used from one thread, in WAL mode with ``synchronous=NORMAL``. A
    committed transaction survives a kill of the process. A power failure may lose the last
    transactions but does not damage the database; an fsync for each transaction, which would
    prevent the loss, is too slow for a development server.

    Args:
        path: The database file, or None to keep everything in memory.

    Raises:
        StoreError: The file cannot be used.
    """

    def __init__(self, path: Path | None) -> None:
        self.database = sqlite3.connect(path or ":memory:", isolation_level=None, uri=True)
        self.database.row_factory = sqlite3.Row
        try:
            self._prepare()
        except sqlite3.Error as error:
            self.database.close()
            text = f"{path} cannot be used: {error}. Choose a folder with --data."
            if "locked" in str(error):
                text = "another kernel runs on this folder. Choose another folder with --data."
            raise StoreError(text) from None
        except StoreError:
            self.database.close()
            raise

    def _prepare(self) -> None:
        execute = self.database.execute
        # This is first, because a second kernel on the same file must fail.
        execute("PRAGMA locking_mode=EXCLUSIVE")
        execute("PRAGMA busy_timeout=500")
        execute("PRAGMA journal_mode=WAL")
        execute("PRAGMA synchronous=NORMAL")
        execute("PRAGMA cache_size=-32768")  # KiB; the default of 2 MiB is too small
        (version,) = execute("PRAGMA user_version").fetchone()
        (tables,) = execute("SELECT count(*) FROM sqlite_master").fetchone()
        if version == 0 and tables == 0:
            schema = resources.files(__package__).joinpath("schema.sql").read_text("utf-8")
            self.database.executescript(f"BEGIN; {schema}; PRAGMA user_version = {VERSION}; COMMIT")
        elif version != VERSION:
            raise StoreError(
                f"The database has another version ({version}; this kernel reads {VERSION})."
                " Choose another folder with --data, or remove kernel.db."
            )

    def write(self, changes: Iterable[object]) -> None:
        """Write the records in one transaction and commit it.

        Raises:
            sqlite3.Error: The commit failed, and nothing was written.
        """
        batch: dict[type, list[tuple[Any, ...]]] = {}
        for record in changes:
            kind = type(record)
            batch.setdefault(kind, []).append(TABLES[kind].row(record))
        with self.transaction():
            for kind, rows in batch.items():
                self.database.executemany(TABLES[kind].upsert, rows)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the ``with`` block in a transaction; roll it back if the block raises."""
        self.database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.database.execute("COMMIT")
        except BaseException:
            self.database.execute("ROLLBACK")
            raise

    def read(self, query: str, *values: Any) -> list[sqlite3.Row]:
        """Return the rows of a query; the values replace its question marks."""
        return self.database.execute(query, values).fetchall()

    def records(self, kind: type[RecordT], where: str = "", *values: Any) -> list[RecordT]:
        """Return the stored records of a kind.

        Args:
            kind: The records' class.
            where: The rest of the query after the table's name.
            *values: The values for its question marks.
        """
        table = TABLES[kind]
        query = f"SELECT {table.columns} FROM {table.name} {where}"  # noqa: S608 - fixed names
        cursor = self.database.cursor()
        cursor.row_factory = None  # plain tuples take half the time of rows with names
        return [table.record(row) for row in cursor.execute(query, values)]

    def setting(self, name: str) -> str | None:
        """Return a stored setting, or None."""
        rows = self.read("SELECT value FROM settings WHERE name = ?", name)
        return rows[0]["value"] if rows else None

    def set(self, name: str, value: str) -> None:
        """Store a setting, and commit it unless a transaction is open."""
        self.database.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

    def clear(self) -> None:
        """Delete everything, in the open transaction if there is one."""
        for name in ("settings", *(table.name for table in TABLES.values())):
            self.database.execute(f"DELETE FROM {name}")  # noqa: S608 - fixed names

    def close(self) -> None:
        """Close the database."""
        self.database.close()
