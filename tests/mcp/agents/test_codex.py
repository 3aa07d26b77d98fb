"""Codex with a scripted model on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from support.mcp_server import clean_environment
from support.scripted_model import say, use

from .conftest import NODE_TOOLS, PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Evaluate, Evaluation


def run_codex(run: Evaluation) -> list[dict[str, object]]:
    """Run Codex until the end of its turn, and return its events."""
    home: Path = run.folder / "codex"
    work = run.folder / "work"
    home.mkdir()
    work.mkdir()
    env = ", ".join(f"{name} = {json.dumps(value)}" for name, value in run.variables.items())
    (home / "config.toml").write_text(
        f"""
        model = "scripted"
        model_provider = "loopback"

        [model_providers.loopback]
        name = "loopback"
        base_url = "{run.model.url}/v1"
        wire_api = "responses"

        [mcp_servers.chaojiyuyan]
        command = {json.dumps(sys.executable)}
        args = ["-m", "chaojiyuyan_mcp"]
        env = {{ {env} }}
        required = true
        """
    )
    options = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "--json"]
    done = subprocess.run(
        [str(NODE_TOOLS / "codex"), "exec", *options, "Order an echo."],
        env={
            **clean_environment(run.folder),
            "PATH": f"{NODE_TOOLS}{os.pathsep}{os.environ['PATH']}",
            "CODEX_HOME": str(home),
            "NO_PROXY": "*",
        },
        cwd=work,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_codex_orders_and_waits(evaluate: Evaluate) -> None:
    order = {"capability_key": "media.echo.v1", "input_payload": {"say": "hello"}}
    ordered = use("mcp__chaojiyuyan__kernel_create_job", **order, wait=True)
    with evaluate([ordered], [say("It is done.")]) as run:
        events = run_codex(run)
        (job,) = run.jobs.list()
    assert job["status"] == "succeeded"
    assert "heard" in run.model.last_message()
    assert "It is done." in str(events)
