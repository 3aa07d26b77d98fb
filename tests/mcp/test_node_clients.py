"""The Inspector and Claude Code from npm, which `scripts/node-tools` installs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from chaojiyuyan_mcp._tools import TOOLS
from support.mcp_server import clean_environment, reach

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chaojiyuyan_devserver.testing import LocalKernel

TOOLS_FOLDER = Path(
    os.environ.get("CHAOJIYUYAN_NODE_TOOLS") or Path(__file__).parents[2] / ".hatch" / "node"
)
TOOL_ERROR = 5

pytestmark = pytest.mark.skipif(
    not (TOOLS_FOLDER / "bin" / "mcp-inspector").exists(),
    reason="no Node tools here: scripts/node-tools installs them",
)

SERVER = [sys.executable, "-m", "chaojiyuyan_mcp"]


def run(tool: str, *arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    folder = TOOLS_FOLDER / "bin"
    return subprocess.run(
        [str(folder / tool), *arguments],
        env={**env, "PATH": f"{folder}{os.pathsep}{env['PATH']}"},
        cwd=env["HOME"],
        capture_output=True,
        text=True,
        timeout=60,
    )


class TestInspector:
    def inspect(
        self, era: str, kernel: LocalKernel, home: Path, *arguments: str
    ) -> subprocess.CompletedProcess[str]:
        settings = [part for item in reach(kernel).items() for part in ("-e", "=".join(item))]
        return run(
            "mcp-inspector",
            *("--cli", *SERVER, *settings, "--protocol-era", era, "-q", "--format", "json"),
            *("--connect-timeout", "50000"),
            *arguments,
            env=clean_environment(home),
        )

    @pytest.mark.parametrize("era", ["legacy", "auto", "modern"])
    def test_lists_portable_tools(self, era: str, kernel: LocalKernel, tmp_path: Path) -> None:
        listed = self.inspect(era, kernel, tmp_path, "--method", "tools/list", "--strict")
        assert (listed.returncode, listed.stderr) == (0, "")
        tools = json.loads(listed.stdout)["result"]["tools"]
        assert [tool["name"] for tool in tools] == [tool.name for tool in TOOLS]

    @pytest.mark.parametrize("era", ["legacy", "modern"])
    def test_calls_every_tool(self, era: str, kernel: LocalKernel, tmp_path: Path) -> None:
        key = "test.echo.v1"
        order = {"capability_key": key, "input_payload": {}}
        with kernel.client() as client:
            client.post("/kernel-agents/me/capabilities", json={"capability_keys": [key]})
            job_id = client.post("/kernel-jobs", json=order).json()["data"]["id"]
        kernel.settle(job_id, {"done": True})
        calls: dict[str, dict[str, Any]] = {
            "kernel_list_capabilities": {"query": "echo", "limit": 2},
            "kernel_create_job": order,
            "kernel_get_job": {"job_id": job_id},
            "kernel_wait_for_job": {"job_id": job_id, "timeout": 5},
            "kernel_list_artifacts": {"job_id": job_id},
            "kernel_register_capability_handler": {"capability_keys": [key]},
            "kernel_claim_job": {"limit": 5},
        }
        for name, done in self.call_all(era, kernel, tmp_path, calls):
            assert done.returncode == 0, (name, done.stdout, done.stderr)
            assert json.loads(done.stdout)["result"]["structuredContent"]

    @pytest.mark.parametrize("era", ["legacy", "modern"])
    def test_calls_tools_badly(self, era: str, kernel: LocalKernel, tmp_path: Path) -> None:
        calls: dict[str, dict[str, Any]] = {
            "kernel_get_job": {"surprise": 1},
            # A claim ends with its server, so another process cannot submit it.
            "kernel_submit_job": {"job_id": "job_1", "output_envelope": {}},
        }
        for name, done in self.call_all(era, kernel, tmp_path, calls):
            assert done.returncode == TOOL_ERROR, (name, done.stdout, done.stderr)
            assert "bad_arguments" in done.stdout

    def call_all(
        self, era: str, kernel: LocalKernel, home: Path, calls: dict[str, dict[str, Any]]
    ) -> Iterable[tuple[str, subprocess.CompletedProcess[str]]]:
        """Call tools, each with a separate Inspector and server, two at a time."""

        def call(name: str) -> subprocess.CompletedProcess[str]:
            wanted = ("--tool-name", name, "--tool-args-json", json.dumps(calls[name]))
            return self.inspect(era, kernel, home, "--method", "tools/call", *wanted)

        with ThreadPoolExecutor(2) as pool:
            return list(zip(calls, pool.map(call, calls), strict=True))


def test_claude_code_connects(kernel: LocalKernel, tmp_path: Path) -> None:
    env = {
        **clean_environment(tmp_path),
        "CLAUDE_CONFIG_DIR": str(tmp_path / "config"),
        "DISABLE_AUTOUPDATER": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    command, *arguments = SERVER
    entry = json.dumps({"command": command, "args": arguments, "env": reach(kernel)})
    added = run("claude", "mcp", "add-json", "-s", "user", "chaojiyuyan", entry, env=env)
    assert added.returncode == 0, added.stderr
    listed = run("claude", "mcp", "list", env=env)
    (line,) = [line for line in listed.stdout.splitlines() if line.startswith("chaojiyuyan:")]
    assert line.endswith("✔ Connected")
