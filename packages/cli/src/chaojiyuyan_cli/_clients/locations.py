"""The MCP clients that `connect` knows: where each keeps its servers, and how an entry is written.

Pure: home folder, platform and environment are handed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from .json_text import Json

CLAUDE_CODE = "claude-code"
"""The client that is told through its own command, and whose file is only read here."""


@dataclass(frozen=True)
class McpClient:
    """An MCP client and the file in which it keeps its servers.

    Args:
        name: What it is called on the command line.
        label: What it is called in a sentence.
        path: The file.
        folder: The folder that is there where the client is installed.
        container: The file's member that holds the servers.
        typed: Whether an entry says that it is a ``stdio`` one.
    """

    name: str
    label: str
    path: Path
    folder: Path
    container: str = "mcpServers"
    typed: bool = False

    @property
    def installed(self) -> bool:
        """Whether the client seems to be on this machine."""
        return self.folder.is_dir()

    def entry(self, command: Sequence[str], env: Mapping[str, str]) -> dict[str, Json]:
        """The entry of a server in this client's form.

        Args:
            command: The program and its arguments.
            env: What the server is to find in its environment.
        """
        kind: dict[str, Json] = {"type": "stdio"} if self.typed else {}
        return {**kind, "command": command[0], "args": [*command[1:]], "env": {**env}}


def mcp_json(home: Path) -> McpClient:
    """The documented ``~/.claude/mcp.json``, which other tools and earlier releases read.

    Args:
        home: The user's home folder.
    """
    folder = home / ".claude"
    return McpClient("mcp-json", "~/.claude/mcp.json", folder / "mcp.json", folder)


def claude_code(home: Path, environ: Mapping[str, str]) -> McpClient:
    """Claude Code. Its own command writes the file, so it need not be there yet.

    Args:
        home: The user's home folder.
        environ: The environment; ``CLAUDE_CONFIG_DIR`` moves the file.
    """
    folder = environ.get("CLAUDE_CONFIG_DIR", "").strip()
    path = (home / folder if folder else home) / ".claude.json"  # an absolute folder stands alone
    return McpClient(CLAUDE_CODE, "Claude Code", path, path.parent, typed=True)


def file_clients(home: Path, platform: str, environ: Mapping[str, str]) -> dict[str, McpClient]:
    """The clients whose files are edited here, by name.

    Args:
        home: The user's home folder.
        platform: As ``sys.platform`` says it.
        environ: The environment; ``APPDATA`` and ``XDG_CONFIG_HOME`` are looked at.
    """
    settings = _settings_folder(home, platform, environ)
    desktop = settings / "Claude"
    cursor = home / ".cursor"
    code = settings / "Code" / "User"
    clients = [
        McpClient(
            "claude-desktop", "Claude Desktop", desktop / "claude_desktop_config.json", desktop
        ),
        McpClient("cursor", "Cursor", cursor / "mcp.json", cursor),
        McpClient("vscode", "VS Code", code / "mcp.json", code, container="servers", typed=True),
    ]
    return {client.name: client for client in clients}


def _settings_folder(home: Path, platform: str, environ: Mapping[str, str]) -> Path:
    """Where desktop programs keep their settings, as Electron's ``appData`` has it."""
    if platform == "darwin":
        return home / "Library" / "Application Support"
    if platform == "win32":
        return home / (environ.get("APPDATA", "").strip() or "AppData/Roaming")
    return home / (environ.get("XDG_CONFIG_HOME", "").strip() or ".config")
