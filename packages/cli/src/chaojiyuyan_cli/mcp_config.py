"""The agent key and the MCP server in a client's ``mcp.json``: the documented functions."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ._clients.change import Dialogue, Outcome
from ._clients.config_file import DEFAULT_SERVER_KEY, ConfigFile, McpWriterError

if TYPE_CHECKING:
    from ._clients.change import Change
    from ._clients.servers import Json

__all__ = [
    "DEFAULT_ARGS",
    "DEFAULT_COMMAND",
    "DEFAULT_MCP_PATH",
    "DEFAULT_SERVER_KEY",
    "McpWriterError",
    "WriteResult",
    "remove_hebing_mcp_entry",
    "write_hebing_mcp_entry",
]

DEFAULT_COMMAND = "chaojiyuyan"
DEFAULT_ARGS = ["mcp-server"]
DEFAULT_MCP_PATH = Path(os.path.expanduser("~/.claude/mcp.json"))  # noqa: PTH111  # never raises


@dataclass(frozen=True)
class WriteResult:
    """What became of an edit.

    Args:
        target: The file.
        backup_path: The copy of the file as it was, without our secrets. None when there was no
            file or nothing was written.
        wrote: Whether the file was changed.
        diff: The change of our entry as a unified diff with secrets masked; empty when there is
            no change.
        server_key: The name of the entry.
    """

    target: Path
    backup_path: Path | None
    wrote: bool
    diff: str
    server_key: str


def write_hebing_mcp_entry(
    api_key: str,
    *,
    target: Path | str | None = None,
    server_key: str = DEFAULT_SERVER_KEY,
    command: str = DEFAULT_COMMAND,
    args: list[str] | None = None,
    extra_env: dict[str, str] | None = None,
    interactive: bool = True,
    yes: bool = False,
    dry_run: bool = False,
    print_fn: Callable[[str], None] = print,
    input_fn: Callable[[str], str] = input,
) -> WriteResult:
    """Add the MCP server to a client's file, or bring its entry there up to date.

    Args:
        api_key: The agent key; it goes into the entry's ``env`` as ``CHAOJIYUYAN_API_KEY``.
        target: The file, ``~/.claude/mcp.json`` by default; its ``mcpServers`` holds the entry.
        server_key: The entry's name.
        command: The program that the client is to start.
        args: Its arguments, ``["mcp-server"]`` by default.
        extra_env: Further environment variables of the server.
        interactive: Print the diff and ask before writing; without it nothing is printed.
        yes: Write without asking.
        dry_run: Show the diff and write nothing.
        print_fn: Called with each text to show.
        input_fn: Called with the question; EOFError counts as a no.

    Raises:
        McpWriterError: The file is not strict JSON, its root or its ``mcpServers`` is not an
            object, or the target is a directory. The file stays as it was.
        OSError: The file cannot be read or written. It stays as it was.
    """
    entry: dict[str, Json] = {
        "command": command,
        "args": [*(DEFAULT_ARGS if args is None else args)],
        "env": {"CHAOJIYUYAN_API_KEY": api_key, **(extra_env or {})},
    }
    file = ConfigFile(_resolve(target), name=server_key)
    dialogue = Dialogue(interactive, yes, dry_run, print_fn, input_fn)
    return _carry_out(file, file.plan_write(entry), dialogue)


def remove_hebing_mcp_entry(
    *,
    target: Path | str | None = None,
    server_key: str = DEFAULT_SERVER_KEY,
    interactive: bool = True,
    yes: bool = False,
    dry_run: bool = False,
    print_fn: Callable[[str], None] = print,
    input_fn: Callable[[str], str] = input,
) -> WriteResult:
    """Remove the MCP server from a client's file, and ``mcpServers`` with the last server.

    Args:
        target: The file, ``~/.claude/mcp.json`` by default.
        server_key: The entry's name.
        interactive: Print the diff and ask before writing; without it nothing is printed.
        yes: Write without asking.
        dry_run: Show the diff and write nothing.
        print_fn: Called with each text to show.
        input_fn: Called with the question; EOFError counts as a no.

    Raises:
        McpWriterError: As in :func:`write_hebing_mcp_entry`.
        OSError: As in :func:`write_hebing_mcp_entry`.
    """
    file = ConfigFile(_resolve(target), name=server_key)
    dialogue = Dialogue(interactive, yes, dry_run, print_fn, input_fn)
    return _carry_out(file, file.plan_removal(), dialogue)


def _resolve(target: Path | str | None) -> Path:
    return DEFAULT_MCP_PATH if target is None else Path(target)


def _carry_out(file: ConfigFile, change: Change, dialogue: Dialogue) -> WriteResult:
    outcome, backup = dialogue.carry_out(change)
    diff = change.preview if change.needed else ""
    return WriteResult(file.path, backup, outcome is Outcome.APPLIED, diff, file.name)
