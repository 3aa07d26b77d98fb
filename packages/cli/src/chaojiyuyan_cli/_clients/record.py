"""Record the clients that `connect` has changed, so that `disconnect` can undo the changes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chaojiyuyan_core.private_file import locked, write_private

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Connection:
    """A client whose file `connect` has changed.

    Args:
        client: The name of the client.
        path: The client's file.
    """

    client: str
    path: Path


class Connections:
    """The record on disk. An unreadable record counts as empty.

    Args:
        path: The file of the record.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def list_all(self) -> list[Connection]:
        """Return every connection, oldest first."""
        try:
            rows = json.loads(self._path.read_bytes())["connections"]
            return [Connection(str(row["client"]), Path(row["path"])) for row in rows]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return []

    def add(self, connection: Connection) -> None:
        """Add a connection, unless the record has it already.

        Args:
            connection: The connection to add.
        """
        self._change(lambda rows: [*(row for row in rows if row != connection), connection])

    def remove(self, connection: Connection) -> None:
        """Remove a connection.

        Args:
            connection: The connection to remove.
        """
        if connection in self.list_all():
            self._change(lambda rows: [row for row in rows if row != connection])

    def _change(self, change: Callable[[list[Connection]], list[Connection]]) -> None:
        with locked(self._path):
            rows = [
                {"client": row.client, "path": str(row.path)} for row in change(self.list_all())
            ]
            write_private(self._path, json.dumps({"connections": rows}, indent=2).encode() + b"\n")
