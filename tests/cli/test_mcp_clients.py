"""Where each MCP client keeps its servers, on each system."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaojiyuyan_cli._clients.locations import claude_code, file_clients, mcp_json

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
def test_each_system_has_its_own_places(
    platform: str, environ: dict[str, str], desktop: str, vscode: str
) -> None:
    clients = file_clients(HOME, platform, environ)
    assert clients["claude-desktop"].path == HOME / desktop
    assert clients["vscode"].path == HOME / vscode
    assert clients["cursor"].path == HOME / ".cursor" / "mcp.json"


def test_claude_codes_file_moves_with_its_folder() -> None:
    assert claude_code(HOME, {}).path == HOME / ".claude.json"
    moved = claude_code(HOME, {"CLAUDE_CONFIG_DIR": "/elsewhere"})
    assert moved.path == Path("/elsewhere/.claude.json")


def test_entries_differ_by_client() -> None:
    command, env = ["/bin/x", "a"], {"K": "v"}
    clients = file_clients(HOME, "linux", {})
    plain = {"command": "/bin/x", "args": ["a"], "env": {"K": "v"}}
    assert clients["cursor"].entry(command, env) == plain
    assert mcp_json(HOME).entry(command, env) == plain
    assert clients["vscode"].entry(command, env) == {"type": "stdio", **plain}
    assert clients["vscode"].container == "servers"


def test_a_client_is_installed_where_its_folder_is(tmp_path: Path) -> None:
    assert not file_clients(tmp_path, "linux", {})["cursor"].installed
    (tmp_path / ".cursor").mkdir()
    assert file_clients(tmp_path, "linux", {})["cursor"].installed
