"""Add the MCP server to the clients of this machine, and remove it from them."""

from __future__ import annotations

import os
import sys
import sysconfig
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from . import claude_code
from .locations import (
    CLAUDE_CODE,
    McpClient,
    locate_claude_code,
    locate_mcp_json,
    locate_named_clients,
)
from .record import Connection, Connections

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .change import Applied, Change

FILE = "file"
"""The client name in the record for a file that was given by ``--target``."""


def find_server_command() -> list[str]:
    """Return a command that starts the MCP server and needs no shell, PATH or working directory.

    It is the running script, or else the script of this Python environment, or else the
    interpreter with ``-m``.
    """
    suffix = ".exe" if os.name == "nt" else ""
    beside = Path(sysconfig.get_path("scripts")) / "chaojiyuyan"
    for script in (Path(sys.argv[0]), beside):
        path = Path(os.path.abspath(script.with_suffix(suffix)))  # noqa: PTH100  # keeps symbolic links
        if script.stem == "chaojiyuyan" and path.is_file() and os.access(path, os.X_OK):
            return [str(path), "mcp-server"]
    return [sys.executable, "-m", "chaojiyuyan_cli", "mcp-server"]


@dataclass(frozen=True)
class Server:
    """The MCP server in the entries of clients.

    Args:
        command: The program and its arguments.
        env: The environment variables of the server, without the key.
        key: The agent key.
        key_in_files: Whether entries contain the key. None: only the documented entries do. A
            server without the key in its entry reads it from the credentials file.
    """

    command: Sequence[str]
    env: Mapping[str, str]
    key: str
    key_in_files: bool | None

    def make_env(self, client: McpClient) -> dict[str, str]:
        """Return the environment variables of the entry in a client.

        Args:
            client: The client.
        """
        with_key = client.documented if self.key_in_files is None else self.key_in_files
        # Other users can see the entry of Claude Code in the process list.
        if not with_key or client.name == CLAUDE_CODE:
            return dict(self.env)
        return {"CHAOJIYUYAN_API_KEY": self.key, **self.env}


class Wiring:
    """The clients of this machine.

    Args:
        home: The user's home folder.
        environ: The environment.
    """

    def __init__(self, home: Path, environ: Mapping[str, str]) -> None:
        self.mcp_json = locate_mcp_json(home)
        self.claude_code = locate_claude_code(home, environ)
        self.named = locate_named_clients(home, sys.platform, environ)
        self._record = Connections(home / ".chaojiyuyan" / "connections.json")

    @property
    def clients(self) -> list[McpClient]:
        """Every known client, the documented file first."""
        return [self.mcp_json, self.claude_code, *self.named.values()]

    def make_target(self, path: Path) -> McpClient:
        """Return a client for a file that the user has chosen.

        Args:
            path: The file.
        """
        path = path.expanduser()
        return McpClient(FILE, str(path), path, path.parent, documented=True)

    def plan_connect(self, client: McpClient, server: Server) -> Change | None:
        """Prepare the addition of the server to a client.

        Args:
            client: The client.
            server: The server.

        Returns:
            The change, or None when the client is not on this machine.

        Raises:
            McpWriterError: The client's file cannot be edited safely.
            OSError: The client's file cannot be read.
        """
        entry = client.make_entry(server.command, server.make_env(client))
        if client.name == CLAUDE_CODE:
            claude = claude_code.find_executable()
            if claude is None:
                return None
            change = claude_code.plan_registration(claude, client, entry)
        else:
            change = client.file.plan_write(entry)

        def apply() -> Applied:
            applied = change.apply()
            self._record.add(_make_connection(client))
            return applied

        return replace(change, apply=apply)

    def plan_disconnect(self, client: McpClient) -> Change:
        """Prepare the removal of the server from a client.

        Args:
            client: The client.

        Raises:
            McpWriterError: The client's file cannot be edited safely.
            UserError: Claude Code has the server, but its command is not on PATH.
            OSError: The client's file cannot be read.
        """
        if client.name == CLAUDE_CODE:
            change = claude_code.plan_removal(client)
        else:
            change = client.file.plan_removal()

        def apply() -> Applied:
            applied = change.apply()
            self.forget(client)
            return applied

        return replace(change, apply=apply)

    def list_connected(self) -> list[McpClient]:
        """Return the clients that may have the server, ``~/.claude/mcp.json`` first."""
        known = {client.name: client for client in self.clients}
        clients = [self.mcp_json]
        for connection in self._record.list_all():
            client = known.get(connection.client) or self.make_target(connection.path)
            # Variables such as CLAUDE_CONFIG_DIR may have changed since, so the path of the record
            # is used.
            clients.append(replace(client, path=connection.path))
        return list({client.path: client for client in clients}.values())

    def forget(self, client: McpClient) -> None:
        """Remove a client from the record.

        Args:
            client: The client.
        """
        self._record.remove(_make_connection(client))


def _make_connection(client: McpClient) -> Connection:
    return Connection(client.name, client.path.absolute())
