"""Register the server with Claude Code by its own command, since its file format is private."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

from chaojiyuyan_cli._errors import UserError

from .change import Applied, Change
from .config_file import DEFAULT_SERVER_KEY, McpWriterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .locations import McpClient
    from .servers import Json

_TIMEOUT = 60.0  # seconds; its first run on a machine takes a while
_REMOVE = ["mcp", "remove", "-s", "user", DEFAULT_SERVER_KEY]


def find_executable() -> str | None:
    """Return the path of ``claude``, or None when it is not on PATH."""
    return shutil.which("claude")


def plan_registration(claude: str, client: McpClient, entry: dict[str, Json]) -> Change:
    """Prepare the registration of the server for the user, in every project.

    Args:
        claude: The path of ``claude``.
        client: Claude Code.
        entry: The entry of the server. It must not contain the key, because other users can see
            the arguments of a process.
    """
    before = read_entry(client)
    arguments = ["mcp", "add-json", "-s", "user", DEFAULT_SERVER_KEY, json.dumps(entry)]
    command = shlex.join(["claude", *arguments])
    instead = "" if before is None else " in place of the server of this name"

    def register() -> Applied:
        if before is not None:
            _run(claude, _REMOVE)
        _run(claude, arguments)
        return Applied(["Registered with Claude Code by `claude mcp add-json -s user`"])

    return Change(
        needed=before != entry,
        preview=f"Command: {command}",
        question=f"Run this command{instead}?",
        unchanged="Claude Code: no change",
        declined="Aborted; nothing registered with Claude Code.",
        apply=register,
    )


def plan_removal(client: McpClient) -> Change:
    """Prepare the removal of the server from the user's scope.

    Args:
        client: Claude Code.

    Raises:
        UserError: The server is registered, but ``claude`` is not on PATH.
    """
    command = shlex.join(["claude", *_REMOVE])
    needed = read_entry(client) is not None
    claude = find_executable()
    if needed and claude is None:
        raise UserError(f"`claude` is not on PATH. Remove the server by hand: {command}")

    def remove() -> Applied:
        _run(claude or "claude", _REMOVE)
        return Applied(["Removed the server from Claude Code"])

    return Change(
        needed=needed,
        preview=f"Command: {command}",
        question="Run this command?",
        unchanged="Claude Code has no such server; nothing to do.",
        declined="Aborted; Claude Code keeps the server.",
        apply=remove,
    )


def read_entry(client: McpClient) -> Json | None:
    """Return the entry in Claude Code's file, or None when it is missing or unreadable.

    An unreadable file is not an error here, because ``claude`` itself reports the reason.

    Args:
        client: Claude Code.
    """
    try:
        return client.file.read_entry()
    except (McpWriterError, OSError):
        return None


def _run(claude: str, arguments: Sequence[str]) -> None:
    try:
        done = subprocess.run(  # noqa: S603  # the user's own program
            [claude, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"`claude {' '.join(arguments[:2])}` failed: {error}") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise UserError(f"`claude {' '.join(arguments[:2])}` failed: {said[-1]}")
