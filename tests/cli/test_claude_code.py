"""The real Claude Code reaches the server after `connect` and loses it after `disconnect`."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from chaojiyuyan_devserver.testing import LocalKernel
    from support.command_line import Cli


@pytest.fixture
def claude(cli: Cli, node_tools: Path) -> Path:
    cli.env["PATH"] = os.pathsep.join([cli.env["PATH"], str(node_tools)])
    # No telemetry and no updates, because the machine may have no network.
    cli.env["CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"] = "1"
    return node_tools / "claude"


def listed(cli: Cli, claude: Path) -> str:
    """Return Claude Code's list of servers. It starts each server with a minimal environment."""
    done = subprocess.run(
        [claude, "mcp", "list"],
        capture_output=True,
        text=True,
        env={**cli.env, "PATH": f"{claude.parent}:/usr/bin:/bin"},
        cwd=cli.home,
        timeout=60,
    )
    return done.stdout


@pytest.mark.parametrize("profile", [[], ["--profile", "work"]], ids=["default", "profile"])
def test_claude_code_is_connected_and_disconnected(
    cli: Cli, kernel: LocalKernel, claude: Path, profile: list[str]
) -> None:
    connect = ["connect", "--api-key", kernel.api_key, "--base-url", kernel.base_url, "--yes"]
    done = cli(*connect, *profile)
    assert done.returncode == 0, done.stderr
    assert "Registered with Claude Code by `claude mcp add-json -s user`" in done.stdout
    settings = cli.home / ".claude.json"
    assert kernel.api_key not in settings.read_text()
    assert "✔ Connected" in (shown := listed(cli, claude)), shown

    again = cli(
        "connect", "--api-key", kernel.api_key, "--base-url", kernel.base_url, "--yes", *profile
    )
    assert "Claude Code         connected already" in again.stdout

    done = cli("disconnect", "--yes", *profile)
    assert done.returncode == 0, done.stderr
    assert "chaojiyuyan" not in listed(cli, claude)
    assert "chaojiyuyan" not in settings.read_text()


def test_a_changed_entry_is_registered_again(cli: Cli, kernel: LocalKernel, claude: Path) -> None:
    common = ["connect", "--api-key", kernel.api_key, "--yes"]
    cli(*common, "--base-url", "http://127.0.0.1:9/api/v1")
    done = cli(*common, "--base-url", kernel.base_url)
    assert done.returncode == 0, done.stderr
    assert kernel.base_url in (cli.home / ".claude.json").read_text()
    assert "✔ Connected" in listed(cli, claude)
