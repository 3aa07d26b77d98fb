"""Commits what the kernel changed, once for everything that one turn of the event loop did."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._store import Store
    from .kernel.records import Record

log = logging.getLogger(__name__)


class Journal:
    """Writes changes to the store.

    Args:
        store: The database.
        take_changes: Returns the records that changed since its last call.
        on_commit: Is called with the records after they are committed, also where there are none.
        on_failure: Is called when the database cannot be written any more.
    """

    def __init__(
        self,
        store: Store,
        take_changes: Callable[[], list[Record]],
        on_commit: Callable[[list[Record]], None],
        on_failure: Callable[[], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._store = store
        self._take_changes = take_changes
        self._on_commit = on_commit
        self._on_failure = on_failure
        self._flush: asyncio.Future[None] | None = None
        self._broken = False

    def save(self) -> None:
        """Have what changed committed at the end of the event loop's turn.

        Whatever else changes in the same turn goes into the same transaction, so under load many
        requests share one.
        """
        if self._flush is None:
            self._flush = self._loop.create_future()
            self._loop.call_soon(self.commit)

    async def saved(self) -> None:
        """Return when everything for which ``save`` was called is committed."""
        if self._flush is not None:
            await asyncio.shield(self._flush)

    def commit(self) -> None:
        """Commit what changed now."""
        if self._broken:
            return
        flush, self._flush = self._flush, None
        changes = self._take_changes()
        if changes:
            try:
                self._store.write(changes)
            except sqlite3.Error as error:
                # From here on memory knows more than the disk: nobody may be told of it, nor may
                # a later change be written. Who waits goes on waiting until the process ends.
                self._broken, self._flush = True, flush or self._loop.create_future()
                log.critical("The database cannot be written, the kernel stops: %s", error)
                self._on_failure()
                return
        if flush is not None:
            flush.set_result(None)
        self._on_commit(changes)
