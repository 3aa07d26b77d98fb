"""SQLite behind the kernel: one writer thread that commits in groups, and reads beside it."""

from __future__ import annotations

import logging
import queue
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, create_engine, event, select
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool, StaticPool

from . import tables
from .rows import MAPPINGS, Mapping, Row, Setting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

log = logging.getLogger(__name__)

Batch = dict[type, list[Row]]


class Store:
    """The database.

    Every change goes through one thread, which takes all that has queued up meanwhile into one
    transaction. WAL with ``synchronous=NORMAL``: what is committed survives the process being
    killed at any moment; a power cut may cost the last transactions, never the database. An fsync
    a transaction, which would cover that too, is not worth its time in a development server.

    Args:
        path: the database file, or None to keep everything in memory.
        on_commit: called in the writer thread with the number of the last change committed.
        on_error: called in the writer thread when a commit failed; nothing is written after that.
    """

    def __init__(
        self,
        path: Path | None,
        on_commit: Callable[[int], None],
        on_error: Callable[[], None],
    ) -> None:
        self._on_commit = on_commit
        self._on_error = on_error
        self._number = 0
        self._queue: queue.SimpleQueue[tuple[int, Batch] | None] = queue.SimpleQueue()
        url = "sqlite://" if path is None else f"sqlite:///{path}"
        pool = StaticPool if path is None else NullPool
        engine = create_engine(url, poolclass=pool, connect_args={"check_same_thread": False})
        event.listen(engine, "connect", _configure)
        tables.metadata.create_all(engine)
        self._engine = engine
        self._writer = engine.connect()
        self._reader = (
            engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            if path
            else self._writer
        )
        # in memory there is one connection for both: a read must not fall into a transaction
        self._lock = threading.Lock() if path is None else nullcontext()
        self._upserts = {kind: _upsert(mapping) for kind, mapping in MAPPINGS.items()}
        self._thread = threading.Thread(target=self._write, name="store")
        self._thread.start()

    def submit(self, number: int, changes: Iterable[object]) -> None:
        """Queue changed records for the next commit; ``number`` only ever grows."""
        self._number = number
        batch: Batch = {}
        for record in changes:
            kind = type(record)
            batch.setdefault(kind, []).append(MAPPINGS[kind].row(record))
        self._queue.put((number, batch))

    def read(self, query: Select[Any]) -> list[Row]:
        """Run a query; returns its rows."""
        with self._lock:
            return [dict(row) for row in self._reader.execute(query).mappings()]

    def records(self, kind: type, *where: Any) -> list[Any]:
        """The stored records of a kind."""
        mapping = MAPPINGS[kind]
        rows = self.read(select(mapping.table).where(*where))
        return [kind(**mapping.values(row)) for row in rows]

    def submit_setting(self, name: str, value: str) -> None:
        """Queue a setting for the next commit."""
        self.submit(self._number, [Setting(name, value)])

    def setting(self, name: str) -> str | None:
        """A stored setting, or None."""
        rows = self.read(select(tables.settings).where(tables.settings.c.name == name))
        return rows[0]["value"] if rows else None

    def close(self) -> None:
        """Write what is queued, then close the database."""
        self._queue.put(None)
        self._thread.join()
        self._engine.dispose()

    def _write(self) -> None:
        try:
            while (item := self._queue.get()) is not None:
                number, batch = item
                batches = [batch]
                last = False
                while not self._queue.empty():
                    item = self._queue.get()
                    if item is None:
                        last = True
                        break
                    number, batch = item
                    batches.append(batch)
                self._commit(batches)
                self._on_commit(number)
                if last:
                    break
        except SQLAlchemyError as error:
            log.critical("the database cannot be written: %s", error)
            self._on_error()
        finally:
            self._writer.close()
            if self._reader is not self._writer:
                self._reader.close()

    def _commit(self, batches: list[Batch]) -> None:
        with self._lock:
            for kind, statement in self._upserts.items():
                rows = [row for batch in batches for row in batch.get(kind, ())]
                if rows:
                    self._writer.execute(statement, rows)
            self._writer.commit()


def _configure(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA busy_timeout=5000")


def _upsert(mapping: Mapping) -> Insert:
    statement = insert(mapping.table)
    changed = {
        column: statement.excluded[column]
        for column in mapping.columns
        if column not in mapping.key
    }
    return statement.on_conflict_do_update(index_elements=list(mapping.key), set_=changed)
