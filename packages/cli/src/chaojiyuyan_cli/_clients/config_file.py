"""Edit our entry in the file in which an MCP client keeps its servers.

Only the text of our entry changes. Each edit makes a backup without secrets, and replaces the file
atomically.
"""

from __future__ import annotations

import difflib
import glob
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from chaojiyuyan_core.private_file import create_private, locked, replace_content, write_private

from .change import Applied, Change
from .json_text import JsonServers
from .secrets import mask_secrets, replace_secrets
from .servers import ServersTextError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .servers import Json, ServersText

DEFAULT_SERVER_KEY = "chaojiyuyan"
"""The default name of our entry."""

MCP_SERVERS = JsonServers("mcpServers")
"""The format that most clients use."""

_BOM = b"\xef\xbb\xbf"


class McpWriterError(Exception):
    """The file cannot be edited safely. It is unchanged."""


@dataclass(frozen=True)
class ConfigFile:
    """One entry in the file of a client.

    Args:
        path: The file, which may not exist yet.
        servers: The format of the file.
        name: The name of the entry.
    """

    path: Path
    servers: ServersText = field(default=MCP_SERVERS)
    name: str = DEFAULT_SERVER_KEY

    def read_entry(self) -> Json | None:
        """Return the entry in the file, or None when there is none.

        Raises:
            McpWriterError: The file is not valid, or is a directory.
            OSError: The file cannot be read.
        """
        return self._read_entry(_decode(self.path, _read(self.path))[1])

    def plan_write(self, entry: dict[str, Json]) -> Change:
        """Prepare a change that adds or replaces the entry.

        Args:
            entry: The new value of the entry.

        Raises:
            McpWriterError: The file is not valid, or is a directory.
            OSError: The file cannot be read.
        """
        before = self._read_entry_or_refuse("add this by hand", entry)
        return Change(
            needed=before != entry,
            preview=self._diff(before, entry),
            question=f"Apply this change to {self.path}?",
            unchanged=f"{self.path}: no change",
            declined="Aborted; no changes written.",
            apply=lambda: self._edit(
                lambda text: self.servers.set_entry(text, self.name, entry), f"Wrote {self.path}"
            ),
        )

    def plan_removal(self) -> Change:
        """Prepare the removal of the entry.

        Raises:
            McpWriterError: The file is not valid, or is a directory.
            OSError: The file cannot be read.
        """
        before = self._read_entry_or_refuse(f"remove {self.servers.place}.{self.name} by hand")
        return Change(
            needed=before is not None,
            preview=self._diff(before, None),
            question=f"Remove {self.name!r} entry from {self.path}?",
            unchanged=f"No {self.name!r} entry in {self.path}; nothing to do.",
            declined="Aborted; no changes written.",
            apply=lambda: self._edit(
                lambda text: self.servers.remove_entry(text, self.name), f"Updated {self.path}"
            ),
        )

    def redact_backups(self) -> list[Path]:
        """Remove the secrets from backups that earlier releases made.

        Returns:
            The backups that contained a secret.

        Raises:
            OSError: A backup cannot be read or written.
        """
        redacted = []
        for backup in sorted(self.path.parent.glob(f"{glob.escape(self.path.name)}.backup-*")):
            try:
                data = _read(backup)
                without = self._redact(backup, data or b"")
            except McpWriterError:  # we make backups of valid files only
                continue
            if without != data:
                write_private(backup, without)
                redacted.append(backup)
        return redacted

    def _read_entry(self, text: str) -> Json | None:
        try:
            return self.servers.entries(text).get(self.name)
        except ServersTextError as error:
            raise McpWriterError(f"{self.path} {error}") from None

    def _read_entry_or_refuse(
        self, remedy: str, entry: dict[str, Json] | None = None
    ) -> Json | None:
        """Return the entry. The error of an invalid file says what to do by hand."""
        try:
            return self.read_entry()
        except McpWriterError as error:
            if entry is not None:
                safe = replace_secrets(entry, "<your agent key>")
                remedy += f":\n{self.servers.render(self.name, safe).rstrip()}"
            raise McpWriterError(f"{error}. Repair the file, or {remedy}") from None

    def _edit(self, edit: Callable[[str], str], done: str) -> Applied:
        """Read the file again and edit it, because it may have changed during the dialogue."""
        with locked(self.path):
            data = _read(self.path)
            bom, text = _decode(self.path, data)
            try:
                edited = bom + edit(text).encode()
            except UnicodeEncodeError:
                raise McpWriterError(f"the entry for {self.path} is not valid Unicode") from None
            except ServersTextError as error:
                raise McpWriterError(f"{self.path} {error}") from None
            backup = None if data is None else self._back_up(data)
            replace_content(self.path, edited)
        return Applied([done, *([f"Backup: {backup}"] if backup else [])], backup)

    def _back_up(self, data: bytes) -> Path:
        stamp = f"{datetime.now():%Y%m%d%H%M%S}"  # noqa: DTZ005  # for people
        number = 0
        while True:
            suffix = f"-{number}" if number else ""
            backup = self.path.with_name(f"{self.path.name}.backup-{stamp}{suffix}")
            try:
                create_private(backup, self._redact(self.path, data))
            except FileExistsError:
                number += 1
            else:
                return backup

    def _redact(self, path: Path, data: bytes) -> bytes:
        """Return the content of a file without the secrets of our entry."""
        bom, text = _decode(path, data)
        entry = self._read_entry(text)
        redacted = replace_secrets(entry, "<redacted>")
        if not isinstance(redacted, dict) or redacted == entry:
            return data
        return bom + self.servers.set_entry(text, self.name, redacted).encode()

    def _diff(self, before: Json | None, after: Json | None) -> str:
        """Return the diff of our entry only, because the rest of the file may contain secrets."""
        old, new = (
            []
            if entry is None
            else self.servers.render(self.name, mask_secrets(entry)).splitlines()
            for entry in (before, after)
        )
        if old == new and before != after:
            new = [f"{line}  (changed)" if "…" in line else line for line in new]
        names = (f"{self.path} (before)", f"{self.path} (after)")
        lines = difflib.unified_diff(old, new, *names, n=len(old), lineterm="")
        return "".join(f"{line}\n" for line in lines)


def _read(path: Path) -> bytes | None:
    if path.is_dir():
        raise McpWriterError(f"target is a directory, not a file: {path}")
    if path.exists() and not path.is_file():  # a pipe would block, a device would be replaced
        raise McpWriterError(f"target is not a regular file: {path}")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _decode(path: Path, data: bytes | None) -> tuple[bytes, str]:
    data = data or b""
    bom = _BOM if data.startswith(_BOM) else b""
    try:
        return bom, data[len(bom) :].decode()
    except UnicodeDecodeError:
        raise McpWriterError(f"{path} is not valid: it is not UTF-8") from None
