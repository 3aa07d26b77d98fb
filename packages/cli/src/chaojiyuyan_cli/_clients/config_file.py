"""Writes and removes one server in the configuration file of an MCP client.

Only the text of our entry changes (:mod:`.json_entry`); a backup is kept, the key is masked in
whatever is shown, and the file is replaced in one step, readable by its owner alone.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from chaojiyuyan_core.masking import mask_key, mask_keys
from chaojiyuyan_core.private_file import locked, write_private

from .json_text import Json, JsonTextError, entries_of, remove_entry, set_entry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

DEFAULT_SERVER_KEY = "chaojiyuyan"
DEFAULT_CONTAINER = "mcpServers"

_BOM = b"\xef\xbb\xbf"
_SECRET_MEMBER = re.compile(
    r'("[^"]*(?:key|token|secret|passw|authorization|credential)[^"]*"\s*:\s*)"(?!nxt_…)(?:[^"\\]|\\.)+"',
    re.IGNORECASE,
)


class McpWriterError(Exception):
    """The file cannot be edited safely; it is as it was."""


@dataclass(frozen=True)
class WriteResult:
    """What became of an edit.

    Args:
        target: The file.
        backup_path: The copy of what stood there before, None where nothing did or was written.
        wrote: Whether the file was changed.
        diff: The change as a unified diff with secrets masked, empty where there is none.
        server_key: The entry's key.
    """

    target: Path
    backup_path: Path | None
    wrote: bool
    diff: str
    server_key: str


@dataclass(frozen=True)
class Dialogue:
    """How an edit is shown and agreed to.

    Args:
        interactive: Whether to say anything, and to ask at all.
        yes: Take the answer for given and spare the diff.
        dry_run: Show the diff, change nothing.
        print_fn: Called with each text to show.
        input_fn: Called with the question; EOFError counts as a no.
    """

    interactive: bool = True
    yes: bool = False
    dry_run: bool = False
    print_fn: Callable[[str], None] = print
    input_fn: Callable[[str], str] = input

    def say(self, text: str) -> None:
        if self.interactive:
            self.print_fn(text)

    def agreed(self, question: str) -> bool:
        """Whether the user answers with yes."""
        try:
            return self.input_fn(f"{question} [y/N] ").strip().lower() in {"y", "yes"}
        except EOFError:
            return False


def write_entry(
    target: Path,
    entry: dict[str, Json],
    *,
    server_key: str = DEFAULT_SERVER_KEY,
    container: str = DEFAULT_CONTAINER,
    secrets: Sequence[str] = (),
    dialogue: Dialogue,
) -> WriteResult:
    """Add an entry to a file, or bring it there up to date.

    Args:
        target: The file; it need not exist.
        entry: The entry's value.
        server_key: The entry's name.
        container: The root's member that holds the entries.
        secrets: Texts to mask in whatever is shown, beside what looks like a secret anyway.
        dialogue: How the change is shown and agreed to.

    Raises:
        McpWriterError: The file is not strict JSON, its root or its container is not an object,
            or the target is a directory. The file stays as it was.
        OSError: The file cannot be read or written. It stays as it was.
    """

    def edit(text: str) -> str:
        if entries_of(text, container).get(server_key) == entry:
            return text
        return set_entry(text, container, server_key, entry)

    try:
        return _edited(
            target,
            edit,
            server_key,
            secrets,
            dialogue,
            question=f"Apply this change to {target}?",
            unchanged=f"{target}: no change",
            done=f"Wrote {target}",
        )
    except JsonTextError as error:
        snippet = json.dumps({container: {server_key: entry}}, ensure_ascii=False, indent=2)
        for secret in filter(None, secrets):
            snippet = snippet.replace(json.dumps(secret)[1:-1], "<your agent key>")
        raise McpWriterError(
            f"existing {target} {error}. Refusing to overwrite it; mend it, or add this by hand:\n"
            + snippet
        ) from None


def take_out_entry(
    target: Path,
    *,
    server_key: str = DEFAULT_SERVER_KEY,
    container: str = DEFAULT_CONTAINER,
    dialogue: Dialogue,
) -> WriteResult:
    """Remove an entry from a file, and its container with the last one.

    Args:
        target: The file; it need not exist.
        server_key: The entry's name.
        container: The root's member that holds the entries.
        dialogue: How the change is shown and agreed to.

    Raises:
        McpWriterError: As in :func:`write_entry`.
        OSError: As in :func:`write_entry`.
    """
    try:
        return _edited(
            target,
            lambda text: remove_entry(text, container, server_key),
            server_key,
            (),
            dialogue,
            question=f"Remove {server_key!r} entry from {target}?",
            unchanged=f"No {server_key!r} entry in {target}; nothing to do.",
            done=f"Updated {target}",
        )
    except JsonTextError as error:
        raise McpWriterError(
            f"existing {target} {error}. Refusing to overwrite it; "
            f"mend it, or remove {container}.{server_key} by hand"
        ) from None


def read_entry(
    target: Path, *, server_key: str = DEFAULT_SERVER_KEY, container: str = DEFAULT_CONTAINER
) -> Json | None:
    """Return the entry as it stands in the file, None where it does not.

    Args:
        target: The file; it need not exist.
        server_key: The entry's name.
        container: The root's member that holds the entries.

    Raises:
        McpWriterError: As in :func:`write_entry`.
        OSError: The file cannot be read.
    """
    try:
        return entries_of(_decoded(target, _read(target))[1], container).get(server_key)
    except JsonTextError as error:
        raise McpWriterError(f"{target} {error}") from None


def _edited(
    target: Path,
    edit: Callable[[str], str],
    server_key: str,
    secrets: Sequence[str],
    dialogue: Dialogue,
    *,
    question: str,
    unchanged: str,
    done: str,
) -> WriteResult:
    _, before = _decoded(target, _read(target))
    after = edit(before)
    if after == before:
        dialogue.say(unchanged)
        return WriteResult(target, None, False, "", server_key)
    diff = _masked_diff(target, before, after, secrets)
    result = WriteResult(target, None, False, diff, server_key)
    if dialogue.dry_run or not dialogue.yes:
        dialogue.say(diff)
    if dialogue.dry_run:
        return result
    if dialogue.interactive and not dialogue.yes and not dialogue.agreed(question):
        dialogue.say("Aborted; no changes written.")
        return result
    backup = _write(target, edit)
    dialogue.say(done)
    if backup is not None:
        dialogue.say(f"Backup: {backup}")
    return WriteResult(target, backup, True, diff, server_key)


def _write(target: Path, edit: Callable[[str], str]) -> Path | None:
    """Edit what stands in the file by now: it may have changed while the user was asked."""
    with locked(target):
        data = _read(target)
        bom, text = _decoded(target, data)
        try:
            edited = bom + edit(text).encode()
        except UnicodeEncodeError:
            raise McpWriterError(f"the entry for {target} is not valid Unicode") from None
        backup = None if data is None else _back_up(target, data)
        write_private(target, edited)
    return backup


def _read(target: Path) -> bytes | None:
    if target.is_dir():
        raise McpWriterError(f"target is a directory, not a file: {target}")
    try:
        return target.read_bytes()
    except FileNotFoundError:
        return None


def _decoded(target: Path, data: bytes | None) -> tuple[bytes, str]:
    data = data or b""
    bom = _BOM if data.startswith(_BOM) else b""
    try:
        return bom, data[len(bom) :].decode()
    except UnicodeDecodeError:
        raise McpWriterError(f"existing {target} is not valid JSON: it is not UTF-8") from None


def _back_up(target: Path, data: bytes) -> Path:
    stem = f"{target.name}.backup-{datetime.now():%Y%m%d%H%M%S}"  # noqa: DTZ005  # for people
    number = 0
    while True:
        backup = target.with_name(stem + (f"-{number}" if number else ""))
        try:
            descriptor = os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            number += 1
            continue
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        return backup


def _masked_diff(target: Path, before: str, after: str, secrets: Sequence[str]) -> str:
    lines = difflib.unified_diff(
        before.splitlines(),
        after.splitlines(),
        f"{target} (before)",
        f"{target} (after)",
        lineterm="",
    )
    diff = "".join(f"{line}\n" for line in lines)
    for secret in filter(None, secrets):
        diff = diff.replace(json.dumps(secret, ensure_ascii=False)[1:-1], mask_key(secret))
    return _SECRET_MEMBER.sub(r'\1"…"', mask_keys(diff))
