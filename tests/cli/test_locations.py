"""The location of each MCP client's servers on each operating system."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaojiyuyan_cli._clients import NAMED_CLIENTS
from chaojiyuyan_cli._clients.locations import (
    locate_claude_code,
    locate_mcp_json,
    locate_named_clients,
)

HOME = Path("/home/you")


@pytest.mark.parametrize(
    ("platform", "environ", "desktop", "vscode"),
    [
        (
            "linux",
            {},
            ".config/Claude/claude_desktop_config.json",
            ".config/Code/User/mcp.json",
        ),
        (
            "linux",
            {"XDG_CONFIG_HOME": "/xdg"},
            "/xdg/Claude/claude_desktop_config.json",
            "/xdg/Code/User/mcp.json",
        ),
        (
            "darwin",
            {"XDG_CONFIG_HOME": "/xdg"},
            "Library/Application Support/Claude/claude_desktop_config.json",
            "Library/Application Support/Code/User/mcp.json",
        ),
        (
            "win32",
            {"APPDATA": "/roaming"},
            "/roaming/Claude/claude_desktop_config.json",
            "/roaming/Code/User/mcp.json",
        ),
        (
            "win32",
            {"APPDATA": " "},
            "AppData/Roaming/Claude/claude_desktop_config.json",
            "AppData/Roaming/Code/User/mcp.json",
        ),
    ],
)
def test_each_system_has_its_own_locations(
    platform: str, environ: dict[str, str], desktop: str, vscode: str
) -> None:
    clients = locate_named_clients(HOME, platform, environ)
    assert clients["claude-desktop"].path == HOME / desktop
    assert clients["vscode"].path == HOME / vscode
    assert clients["cursor"].path == HOME / ".cursor" / "mcp.json"


def test_some_clients_have_the_same_location_on_every_system() -> None:
    for platform in ("linux", "darwin", "win32"):
        clients = locate_named_clients(HOME, platform, {})
        assert tuple(clients) == NAMED_CLIENTS
        assert clients["windsurf"].path == HOME / ".codeium" / "windsurf" / "mcp_config.json"
        assert clients["gemini-cli"].path == HOME / ".gemini" / "settings.json"
        assert clients["codex"].path == HOME / ".codex" / "config.toml"


def test_codex_and_gemini_cli_follow_their_variables() -> None:
    environ = {"CODEX_HOME": "/codex", "GEMINI_CLI_HOME": "/gemini"}
    clients = locate_named_clients(HOME, "linux", environ)
    assert clients["codex"].path == Path("/codex/config.toml")
    assert clients["gemini-cli"].path == Path("/gemini/.gemini/settings.json")


def test_claude_codes_file_follows_its_folder() -> None:
    assert locate_claude_code(HOME, {}).path == HOME / ".claude.json"
    moved = locate_claude_code(HOME, {"CLAUDE_CONFIG_DIR": "/elsewhere"})
    assert moved.path == Path("/elsewhere/.claude.json")


def test_entries_differ_by_client() -> None:
    command, env = ["/bin/x", "a"], {"K": "v"}
    clients = locate_named_clients(HOME, "linux", {})
    plain = {"command": "/bin/x", "args": ["a"], "env": {"K": "v"}}
    assert clients["cursor"].make_entry(command, env) == plain
    assert locate_mcp_json(HOME).make_entry(command, env) == plain
    assert clients["vscode"].make_entry(command, env) == {"type": "stdio", **plain}
    assert clients["vscode"].servers.place == "servers"


def test_a_client_is_installed_when_its_folder_exists(tmp_path: Path) -> None:
    assert not locate_named_clients(tmp_path, "linux", {})["cursor"].is_installed
    (tmp_path / ".cursor").mkdir()
    assert locate_named_clients(tmp_path, "linux", {})["cursor"].is_installed
