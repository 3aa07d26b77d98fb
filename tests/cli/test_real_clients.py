"""The real Codex and Gemini CLI read the entry of `connect`, and `disconnect` removes it."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from support.command_line import COMMAND

if TYPE_CHECKING:
    from pathlib import Path

    from chaojiyuyan_devserver.testing import LocalKernel
    from support.command_line import Cli


def run(cli: Cli, node_tools: Path, *command: str) -> str:
    """Run a client with the home folder of the command, and return its output."""
    if not (node_tools / command[0]).exists():
        pytest.skip(f"no {command[0]} in {node_tools}: scripts/node-tools installs it")
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={
            **cli.env,
            "PATH": os.pathsep.join([str(node_tools), "/usr/bin", "/bin"]),
            "GEMINI_CLI_TRUST_WORKSPACE": "true",  # otherwise it ignores the user's servers
        },
        cwd=cli.home,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout or done.stderr  # Gemini CLI writes its list to standard error


def connect(cli: Cli, kernel: LocalKernel, client: str) -> None:
    done = cli(
        *("connect", "--api-key", kernel.api_key, "--base-url", kernel.base_url),
        *("--yes", "--client", client),
    )
    assert done.returncode == 0, done.stderr


def test_gemini_cli_reaches_the_server(cli: Cli, kernel: LocalKernel, node_tools: Path) -> None:
    settings = cli.home / ".gemini" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{"ui": {"hideTips": true}}\n')
    connect(cli, kernel, "gemini-cli")
    for _attempt in range(3):  # Gemini CLI gives a server few seconds, whatever the machine does
        shown = run(cli, node_tools, "gemini", "mcp", "list")
        if "✓ chaojiyuyan" in shown:
            break
    assert "✓ chaojiyuyan" in shown
    cli("disconnect", "--yes")
    assert "chaojiyuyan" not in run(cli, node_tools, "gemini", "mcp", "list")
    assert settings.read_text() == '{"ui": {"hideTips": true}}\n'


def test_codex_reads_the_entry(cli: Cli, kernel: LocalKernel, node_tools: Path) -> None:
    config = cli.home / ".codex" / "config.toml"
    config.parent.mkdir()
    config.write_text('# mine\nmodel = "o3"\n')
    connect(cli, kernel, "codex")
    entry = json.loads(run(cli, node_tools, "codex", "mcp", "get", "chaojiyuyan", "--json"))
    transport = entry["transport"]
    assert (transport["command"], transport["args"]) == (str(COMMAND), ["mcp-server"])
    assert transport["env"] == {"HEBING_BASE_URL": kernel.base_url}
    cli("disconnect", "--yes")
    assert config.read_text() == '# mine\nmodel = "o3"\n'


def test_the_entry_of_codex_itself_is_replaced_and_removed(
    cli: Cli, kernel: LocalKernel, node_tools: Path
) -> None:
    config = cli.home / ".codex" / "config.toml"
    config.parent.mkdir()
    run(cli, node_tools, "codex", "mcp", "add", "other", "--env", "K=v", "--", "/bin/true")
    before = config.read_text()
    run(cli, node_tools, "codex", "mcp", "add", "chaojiyuyan", "--env", "K=v", "--", "/bin/false")
    connect(cli, kernel, "codex")
    assert str(COMMAND) in run(cli, node_tools, "codex", "mcp", "list")
    cli("disconnect", "--yes")
    assert config.read_text() == before
