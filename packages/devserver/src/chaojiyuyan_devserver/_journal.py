"""Commits the kernel's changes, in one transaction for each turn of the event loop."""

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
        on_commit: Called with the committed records, which may be none.
        on_failure: Called when the database can no longer be written.
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
        """Schedule a commit of all changes at the end of the event loop's turn.

        All changes of a turn are in one transaction, so under load many requests share one.
        """
        if self._flush is None:
            self._flush = self._loop.create_future()
            self._loop.call_soon(self.commit)

    async def saved(self) -> None:
        """Return when all changes for which ``save`` was called are committed."""
        if self._flush is not None:
            await asyncio.shield(self._flush)

    def commit(self) -> None:
        """Commit all changes now."""
        if self._broken:
            return
        flush, self._flush = self._flush, None
        changes = self._take_changes()
        if changes:
            try:
                self._store.write(changes)
            except sqlite3.Error as error:
                # Memory now has changes that the disk does not have. They must not be shown to
                # clients and no later change may be written, so requests wait until the process
                # ends.
                self._broken, self._flush = True, flush or self._loop.create_future()
                log.critical("The database cannot be written; the kernel stops: %s", error)
                self._on_failure()
                return
        if flush is not None:
            flush.set_result(None)
        self._on_commit(changes)
