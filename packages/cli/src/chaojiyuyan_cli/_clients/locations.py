"""The MCP clients that `connect` knows, and the file in which each keeps its servers.

The functions do no I/O: home folder, platform and environment are arguments.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .config_file import MCP_SERVERS, ConfigFile
from .json_text import JsonServers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from .servers import Json, ServersText

CLAUDE_CODE = "claude-code"
"""The name of Claude Code. This program only reads its file; ``claude`` writes it."""


@dataclass(frozen=True)
class McpClient:
    """An MCP client and the file in which it keeps its servers.

    Args:
        name: The name of the client on the command line.
        label: The name of the client in messages.
        path: The file.
        folder: A folder that exists when the client is installed.
        servers: The format of the file.
        typed: Whether an entry has the member ``"type": "stdio"``.
        documented: Whether the documentation of the platform describes the entry. Such an entry
            contains the key.
    """

    name: str
    label: str
    path: Path
    folder: Path
    servers: ServersText = field(default=MCP_SERVERS)
    typed: bool = False
    documented: bool = False

    @property
    def is_installed(self) -> bool:
        """Whether the client seems to be installed on this machine."""
        return self.folder.is_dir()

    @property
    def file(self) -> ConfigFile:
        """Our entry in the client's file."""
        return ConfigFile(self.path, self.servers)

    def make_entry(self, command: Sequence[str], env: Mapping[str, str]) -> dict[str, Json]:
        """Return the entry of a server in the form that this client expects.

        Args:
            command: The program and its arguments.
            env: The environment variables of the server.
        """
        kind: dict[str, Json] = {"type": "stdio"} if self.typed else {}
        return {**kind, "command": command[0], "args": [*command[1:]], "env": {**env}}


def locate_mcp_json(home: Path) -> McpClient:
    """Return the client for ``~/.claude/mcp.json``, which other tools and earlier releases read.

    Args:
        home: The user's home folder.
    """
    folder = home / ".claude"
    path = folder / "mcp.json"
    return McpClient("mcp-json", "~/.claude/mcp.json", path, folder, documented=True)


def locate_claude_code(home: Path, environ: Mapping[str, str]) -> McpClient:
    """Return Claude Code. Its file may not exist yet.

    Args:
        home: The user's home folder.
        environ: The environment. ``CLAUDE_CONFIG_DIR`` changes the folder of the file.
    """
    folder = home / environ.get("CLAUDE_CONFIG_DIR", "").strip()  # an absolute path replaces `home`
    return McpClient(CLAUDE_CODE, "Claude Code", folder / ".claude.json", folder, typed=True)


def locate_named_clients(
    home: Path, platform: str, environ: Mapping[str, str]
) -> dict[str, McpClient]:
    """Return the clients of ``NAMED_CLIENTS``, by name.

    Args:
        home: The user's home folder.
        platform: A value of ``sys.platform``.
        environ: The environment; ``APPDATA``, ``XDG_CONFIG_HOME``, ``CODEX_HOME`` and
            ``GEMINI_CLI_HOME`` are read.
    """
    from .toml_text import TomlServers

    settings = _locate_settings(home, platform, environ)
    desktop = settings / "Claude"
    code = settings / "Code" / "User"
    cursor = home / ".cursor"
    windsurf = home / ".codeium" / "windsurf"
    gemini = home / environ.get("GEMINI_CLI_HOME", "").strip() / ".gemini"
    codex = home / (environ.get("CODEX_HOME", "").strip() or ".codex")
    clients = [
        McpClient(
            "claude-desktop", "Claude Desktop", desktop / "claude_desktop_config.json", desktop
        ),
        McpClient("cursor", "Cursor", cursor / "mcp.json", cursor),
        McpClient("vscode", "VS Code", code / "mcp.json", code, JsonServers("servers"), typed=True),
        McpClient("windsurf", "Windsurf", windsurf / "mcp_config.json", windsurf),
        McpClient("gemini-cli", "Gemini CLI", gemini / "settings.json", gemini),
        McpClient("codex", "Codex", codex / "config.toml", codex, TomlServers("mcp_servers")),
    ]
    return {client.name: client for client in clients}


def _locate_settings(home: Path, platform: str, environ: Mapping[str, str]) -> Path:
    """Return the folder for the settings of desktop programs, ``appData`` in Electron."""
    if platform == "darwin":
        return home / "Library" / "Application Support"
    if platform == "win32":
        return home / (environ.get("APPDATA", "").strip() or "AppData/Roaming")
    return home / (environ.get("XDG_CONFIG_HOME", "").strip() or ".config")
