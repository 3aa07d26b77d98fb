"""Puts the MCP server into clients, takes it out again, and tells what stands in them."""

from __future__ import annotations

import os
import shlex
import sys
import sysconfig
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chaojiyuyan_cli._login import ask
from chaojiyuyan_cli._output import escape

from . import claude_code
from .config_file import (
    DEFAULT_CONTAINER,
    Dialogue,
    McpWriterError,
    read_entry,
    take_out_entry,
    write_entry,
)
from .locations import (
    CLAUDE_CODE,
    McpClient,
    claude_code as claude_code_client,
    file_clients,
    mcp_json,
)
from .record import Connection, Connections

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FILE = "file"
"""In the record, the name of a file that was named by ``--target``."""


def server_command() -> list[str]:
    """Return a command that starts the MCP server without a shell, a PATH or a working directory.

    The script that runs now, the one beside this interpreter, else the interpreter itself.
    """
    suffix = ".exe" if os.name == "nt" else ""
    beside = Path(sysconfig.get_path("scripts")) / "chaojiyuyan"
    for script in (Path(sys.argv[0]), beside):
        path = Path(os.path.abspath(script.with_suffix(suffix)))  # noqa: PTH100  # links stay
        if script.stem == "chaojiyuyan" and path.is_file() and os.access(path, os.X_OK):
            return [str(path), "mcp-server"]
    return [sys.executable, "-m", "chaojiyuyan_cli", "mcp-server"]


def terminal_dialogue(*, yes: bool, dry_run: bool = False) -> Dialogue:
    """Return the dialogue that shows and asks on the terminal.

    Args:
        yes: ``--yes``.
        dry_run: ``--dry-run``.
    """

    def show(text: str) -> None:
        click.echo(escape(text, keep="\n\t"))

    return Dialogue(yes=yes, dry_run=dry_run, print_fn=show, input_fn=ask)


@dataclass(frozen=True)
class Server:
    """The MCP server as an entry has it.

    Args:
        command: The program and its arguments.
        env: What it finds in its environment, without the key.
        key: The key, None where entries are to hold none.
    """

    command: Sequence[str]
    env: Mapping[str, str]
    key: str | None

    @property
    def env_with_key(self) -> dict[str, str]:
        """The environment of an entry that is private to its owner."""
        return {**({"CHAOJIYUYAN_API_KEY": self.key} if self.key else {}), **self.env}


class Wiring:
    """The clients of this machine.

    Args:
        home: The user's home folder.
        environ: The environment.
        dialogue: How changes are shown and agreed to.
    """

    def __init__(self, home: Path, environ: Mapping[str, str], dialogue: Dialogue) -> None:
        self.mcp_json = mcp_json(home)
        self.claude_code = claude_code_client(home, environ)
        self.file_clients = file_clients(home, sys.platform, environ)
        self._dialogue = dialogue
        self._record = Connections(home / ".chaojiyuyan" / "connections.json")

    def file(self, path: Path) -> McpClient:
        """Return a file that the user has named, as a client.

        Args:
            path: The file.
        """
        path = path.expanduser()
        return McpClient(FILE, str(path), path, path.parent)

    def connect(self, client: McpClient, server: Server) -> str:
        """Put the server into a client.

        Args:
            client: Where.
            server: What.

        Returns:
            What has become of it, in a few words.

        Raises:
            McpWriterError: The client's file cannot be edited safely.
            UserError: Claude Code's command failed.
            OSError: The client's file cannot be read or written.
        """
        if client.name == CLAUDE_CODE:
            return self._register(client, server)
        result = write_entry(
            client.path,
            client.entry(server.command, server.env_with_key),
            container=client.container,
            secrets=[server.key] if server.key else [],
            dialogue=self._dialogue,
        )
        if result.wrote:
            self._remember(client)
            return "written"
        if not result.diff:
            return "as it should be already"
        return "would be written" if self._dialogue.dry_run else "left as it was"

    def connected(self) -> list[McpClient]:
        """Return the clients that the server was put into, ``~/.claude/mcp.json`` first."""
        own = (self.mcp_json, self.claude_code, *self.file_clients.values())
        known = {client.name: client for client in own}
        clients = [self.mcp_json]
        for connection in self._record.all():
            client = known.get(connection.client) or self.file(connection.path)
            # The client's own place may be another today: XDG_CONFIG_HOME, CLAUDE_CONFIG_DIR.
            clients.append(replace(client, path=connection.path))
        return list({client.path: client for client in clients}.values())

    def disconnect(self, client: McpClient) -> None:
        """Take the server out of a client, if it is there.

        Args:
            client: Where.

        Raises:
            McpWriterError: The client's file cannot be edited safely.
            UserError: Claude Code's command failed.
            OSError: The client's file cannot be read or written.
        """
        if client.name == CLAUDE_CODE:
            gone = self._unregister(client)
        else:
            result = take_out_entry(
                client.path, container=client.container, dialogue=self._dialogue
            )
            gone = result.wrote or not result.diff
        if gone:
            self._forget(client)

    def _register(self, client: McpClient, server: Server) -> str:
        claude = claude_code.executable()
        if claude is None:
            return "not found"
        entry = client.entry(server.command, server.env)
        standing = self._standing(client)
        if standing == entry:
            return "registered already"
        command = shlex.join(["claude", *claude_code.add_arguments(entry)])
        if self._dialogue.dry_run:
            self._dialogue.say(f"Would run: {command}")
            return "would be registered"
        instead = "" if standing is None else " in place of the server of this name"
        if not self._dialogue.yes and not self._dialogue.agreed(f"Run `{command}`{instead}?"):
            self._dialogue.say("Aborted; nothing registered with Claude Code.")
            return "left as it was"
        if standing is not None:
            claude_code.remove(claude)
        claude_code.add(claude, entry)
        self._remember(client)
        return "registered by `claude mcp add-json -s user`"

    def _unregister(self, client: McpClient) -> bool:
        if self._standing(client) is None:
            return True
        claude = claude_code.executable()
        if claude is None:
            self._dialogue.say(
                "`claude` is not on PATH; remove the server from Claude Code by hand:"
                " claude mcp remove -s user chaojiyuyan"
            )
            return False
        question = "Run `claude mcp remove -s user chaojiyuyan`?"
        if not self._dialogue.yes and not self._dialogue.agreed(question):
            self._dialogue.say("Aborted; Claude Code keeps the server.")
            return False
        claude_code.remove(claude)
        self._dialogue.say("Removed the server from Claude Code")
        return True

    @staticmethod
    def _standing(client: McpClient) -> object:
        """The entry in Claude Code's file; what cannot be read is left to its own command."""
        try:
            return read_entry(client.path, container=DEFAULT_CONTAINER)
        except (McpWriterError, OSError):
            return None

    def _remember(self, client: McpClient) -> None:
        self._record.add(Connection(client.name, client.path.absolute()))

    def _forget(self, client: McpClient) -> None:
        self._record.remove(Connection(client.name, client.path.absolute()))
