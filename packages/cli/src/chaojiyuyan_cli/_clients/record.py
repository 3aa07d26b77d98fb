"""A record of the clients that `connect` has changed, so that `disconnect` undoes just that."""

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
    """An entry that `connect` has written.

    Args:
        client: The name of the client.
        path: The client's file.
    """

    client: str
    path: Path


class Connections:
    """The record on disk. What cannot be read counts as absent; the clients' files are the truth.

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
        """Add a connection, once.

        Args:
            connection: What was written.
        """
        self._change(lambda rows: [*(row for row in rows if row != connection), connection])

    def remove(self, connection: Connection) -> None:
        """Remove a connection.

        Args:
            connection: What was removed from a client.
        """
        if connection in self.list_all():
            self._change(lambda rows: [row for row in rows if row != connection])

    def _change(self, change: Callable[[list[Connection]], list[Connection]]) -> None:
        with locked(self._path):
            rows = [
                {"client": row.client, "path": str(row.path)} for row in change(self.list_all())
            ]
            write_private(self._path, json.dumps({"connections": rows}, indent=2).encode() + b"\n")
