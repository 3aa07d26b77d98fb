"""Write the agent key and the MCP server to a client's ``mcp.json``, or remove them."""

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
    """The result of an edit.

    Args:
        target: The file.
        backup_path: The path of the backup of the old file, without our secrets. None when there
            was no file or nothing was written.
        wrote: Whether the file was changed.
        diff: The change of our entry as a unified diff with masked secrets; empty when there is
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
    """Add the MCP server to a client's file, or update its entry.

    Args:
        api_key: The agent key. It is written to the entry's ``env`` as ``CHAOJIYUYAN_API_KEY``.
        target: The file, by default ``~/.claude/mcp.json``. Its ``mcpServers`` contains the entry.
        server_key: The name of the entry.
        command: The program that the client starts.
        args: The arguments of the program, by default ``["mcp-server"]``.
        extra_env: More environment variables of the server.
        interactive: Whether to print the diff and to ask before writing. When false, nothing is
            printed.
        yes: Whether to write without asking.
        dry_run: Whether to show the diff without writing.
        print_fn: Called with each text to show.
        input_fn: Called with the question. EOFError counts as the answer no.

    Returns:
        The result of the edit.

    Raises:
        McpWriterError: The file is not strict JSON, its root or its ``mcpServers`` is not an
            object, or the target is a directory. The file is unchanged.
        OSError: The file cannot be read or written. The file is unchanged.
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
    """Remove the MCP server from a client's file, and ``mcpServers`` when it is then empty.

    Args:
        target: The file, by default ``~/.claude/mcp.json``.
        server_key: The name of the entry.
        interactive: Whether to print the diff and to ask before writing. When false, nothing is
            printed.
        yes: Whether to write without asking.
        dry_run: Whether to show the diff without writing.
        print_fn: Called with each text to show.
        input_fn: Called with the question. EOFError counts as the answer no.

    Returns:
        The result of the edit.

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
