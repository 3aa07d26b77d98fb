"""A record of where `connect` has put the MCP server, so that `disconnect` undoes just that."""

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
        client: The client's name.
        path: The client's file.
    """

    client: str
    path: Path


class Connections:
    """The record on disk. What cannot be read in it counts as absent: the files themselves tell.

    Args:
        path: The record's file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def all(self) -> list[Connection]:
        """Return what stands in the record, oldest first."""
        try:
            rows = json.loads(self._path.read_bytes())["connections"]
            return [Connection(row["client"], Path(row["path"])) for row in rows]
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def add(self, connection: Connection) -> None:
        """Take an entry into the record, once.

        Args:
            connection: What was written.
        """
        self._change(lambda rows: [*(row for row in rows if row != connection), connection])

    def remove(self, connection: Connection) -> None:
        """Strike an entry off the record.

        Args:
            connection: What was taken out.
        """
        if connection in self.all():
            self._change(lambda rows: [row for row in rows if row != connection])

    def _change(self, change: Callable[[list[Connection]], list[Connection]]) -> None:
        with locked(self._path):
            rows = [{"client": row.client, "path": str(row.path)} for row in change(self.all())]
            write_private(self._path, json.dumps({"connections": rows}, indent=2).encode() + b"\n")
