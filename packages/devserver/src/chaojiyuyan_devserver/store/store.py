"""SQLite behind the kernel: changed records in, records out."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import create_engine, event, select
from sqlalchemy.dialects.sqlite import dialect, insert
from sqlalchemy.pool import StaticPool

from . import tables
from .rows import MAPPINGS, Mapping, Row

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sqlalchemy import ColumnElement, Select

RecordT = TypeVar("RecordT")


class Store:
    """The database.

    One connection, used from one thread. WAL with ``synchronous=NORMAL``: what is committed
    survives the process being killed at any moment; a power cut may cost the last transactions,
    never the database. The fsync a transaction that would cover that as well is not worth its
    time in a development server.

    Args:
        path: the database file, or None to keep everything in memory.
    """

    def __init__(self, path: Path | None) -> None:
        url = "sqlite://" if path is None else f"sqlite:///{path}"
        engine = create_engine(url, poolclass=StaticPool)
        event.listen(engine, "connect", _configure)
        tables.metadata.create_all(engine)
        self._connection = engine.connect()
        self._engine = engine
        self._upserts = {kind: _upsert(mapping) for kind, mapping in MAPPINGS.items()}

    def write(self, changes: Iterable[object]) -> None:
        """Write the records in one transaction; when this returns, it is committed.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: it could not be, and nothing was written.
        """
        batch: dict[type, list[tuple[Any, ...]]] = {}
        for record in changes:
            kind = type(record)
            batch.setdefault(kind, []).append(MAPPINGS[kind].row(record))
        for kind, rows in batch.items():
            self._connection.exec_driver_sql(self._upserts[kind], rows)
        self._connection.commit()

    def read(self, query: Select[Any], **values: Any) -> list[Row]:
        """Run a query, with values for its bound parameters; returns its rows."""
        return [dict(row) for row in self._connection.execute(query, values).mappings()]

    def records(self, kind: type[RecordT], *where: ColumnElement[bool]) -> list[RecordT]:
        """The stored records of a kind."""
        return self.load(kind, select(MAPPINGS[kind].table).where(*where))

    def load(self, kind: type[RecordT], query: Select[Any], **values: Any) -> list[RecordT]:
        """The records of a kind that a query over its table finds."""
        mapping = MAPPINGS[kind]
        return [kind(**mapping.values(row)) for row in self.read(query, **values)]

    def setting(self, name: str) -> str | None:
        """A stored setting, or None."""
        rows = self.read(select(tables.settings).where(tables.settings.c.name == name))
        return rows[0]["value"] if rows else None

    def clear(self) -> None:
        """Delete everything."""
        for table in tables.metadata.sorted_tables:
            self._connection.execute(table.delete())
        self._connection.commit()

    def close(self) -> None:
        """Close the database."""
        self._connection.close()
        self._engine.dispose()


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    try:
        # first of all: a second kernel on the same file must fail, not share it
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("PRAGMA busy_timeout=500")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA cache_size=-32768")  # KiB; the default of 2 MiB misses too often
    except sqlite3.Error:
        connection.close()
        raise


def _upsert(mapping: Mapping) -> str:
    # compiled once: going through SQLAlchemy's own compilation and result handling at each
    # statement would cost more than SQLite does
    statement = insert(mapping.table).values(dict.fromkeys(mapping.columns))
    changed = {
        column: statement.excluded[column]
        for column in mapping.columns
        if column not in mapping.key
    }
    upsert = statement.on_conflict_do_update(index_elements=list(mapping.key), set_=changed)
    return str(upsert.compile(dialect=dialect()))
