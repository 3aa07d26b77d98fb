"""Real agents, a scripted model, and a kernel that counts all jobs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.mcp_server import clean_environment, reach
from support.scripted_model import ScriptedModel

if TYPE_CHECKING:
    from chaojiyuyan_devserver.testing import LocalKernel

Json = dict[str, Any]

ROOT = Path(__file__).parents[3]
NODE_TOOLS = Path(os.environ.get("CHAOJIYUYAN_NODE_TOOLS") or ROOT / ".hatch" / "node") / "bin"
PATIENCE = 100
"""Maximum seconds for a step of an agent, which takes one or two on an idle machine."""

API_KEY = "sk-ant-api03-of-the-tests"

report: list[str] = []


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show the report of each evaluation."""
    if report:
        terminalreporter.section("agents")
        for line in report:
            terminalreporter.write_line(line)


class Jobs:
    """The jobs of one agent, which are settled as soon as they are ordered."""

    def __init__(self, kernel: LocalKernel, api_key: str, *, delay: float) -> None:
        self.kernel = kernel
        self._api_key = api_key
        self._delay = delay
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> Jobs:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def list(self) -> list[Json]:
        with self.kernel.client(self._api_key) as client:
            rows: list[Json] = client.get("/kernel-jobs").json()["data"]["items"]
        return rows

    def _work(self) -> None:
        seen: dict[str, float] = {}
        while not self._stop.wait(0.1):
            for job in self.list():
                age = time.monotonic() - seen.setdefault(job["id"], time.monotonic())
                if job["status"] == "bidding" and age >= self._delay:
                    self.kernel.settle(job["id"], {"heard": "hello"})


class Claude:
    """Claude Code with this server, in print mode or on a terminal.

    Args:
        folder: Where its files go.
        model: What answers for its model.
        variables: How the server reaches the kernel.
        options: The server's options.
    """

    def __init__(
        self, folder: Path, model: ScriptedModel, variables: dict[str, str], *options: str
    ) -> None:
        self._model = model
        self._work = folder / "work"
        self._config = folder / "config"
        self._temporary = folder / "tmp"
        for made in (self._work, self._config, self._temporary):
            made.mkdir()
        server = {
            "command": sys.executable,
            "args": ["-m", "chaojiyuyan_mcp", *options],
            "env": variables,
        }
        self._servers = folder / "mcp.json"
        self._servers.write_text(json.dumps({"mcpServers": {"chaojiyuyan": server}}))
        trusted = {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}
        settings = {
            "hasCompletedOnboarding": True,
            "theme": "dark",
            "customApiKeyResponses": {"approved": [API_KEY[-20:]], "rejected": []},
            "projects": {str(self._work): trusted},
        }
        (self._config / ".claude.json").write_text(json.dumps(settings))
        self._env = {
            **clean_environment(folder),
            "PATH": f"{NODE_TOOLS}{os.pathsep}{os.environ['PATH']}",
            "TMPDIR": str(self._temporary),
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "CLAUDE_CONFIG_DIR": str(self._config),
            "ANTHROPIC_BASE_URL": model.url,
            "ANTHROPIC_API_KEY": API_KEY,
            "NO_PROXY": "*",
            "DISABLE_AUTOUPDATER": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }

    def _command(self, *options: str) -> list[str]:
        return [
            str(NODE_TOOLS / "claude"),
            *options,
            *("--mcp-config", str(self._servers), "--strict-mcp-config"),
            *("--allowedTools", "mcp__chaojiyuyan", "--", "Order an echo."),
        ]

    def run(self) -> Json:
        """Run in print mode until the end, and return the output."""
        done = subprocess.run(
            self._command("-p", "--output-format", "json"),
            env=self._env,
            cwd=self._work,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        printed: Json = json.loads(done.stdout)
        return printed

    @contextmanager
    def interactive(self) -> Iterator[Screen]:
        """Run on a tmux terminal."""
        if shutil.which("tmux") is None:
            pytest.skip("no tmux here")
        # The path of a socket has at most about 100 characters.
        with tempfile.TemporaryDirectory(prefix="tmux-", dir="/tmp") as folder:
            tmux = ["tmux", "-S", f"{folder}/s", "-f", "/dev/null"]
            size = ["-x", "140", "-y", "50"]
            subprocess.run(
                [*tmux, "new-session", "-d", *size, *self._command()],
                env=self._env,
                cwd=self._work,
                check=True,
            )
            try:
                yield Screen(tmux)
            finally:
                subprocess.run([*tmux, "kill-server"], check=False)


class Screen:
    """The screen and the keyboard of a terminal."""

    def __init__(self, tmux: list[str]) -> None:
        self._tmux = tmux

    def text(self) -> str:
        shown = subprocess.run(
            [*self._tmux, "capture-pane", "-p"], capture_output=True, text=True, check=True
        )
        return shown.stdout

    def expect(self, pattern: str) -> None:
        """Wait until the screen shows a pattern."""
        deadline = time.monotonic() + PATIENCE
        while re.search(pattern, text := self.text()) is None:
            assert time.monotonic() < deadline, f"{pattern!r} never came:\n{text}"
            time.sleep(0.1)

    def press_until(self, key: str, pattern: str) -> None:
        """Press a key until the screen shows a pattern, because a new dialog ignores early keys."""
        deadline = time.monotonic() + PATIENCE
        while re.search(pattern, text := self.text()) is None:
            assert time.monotonic() < deadline, f"{pattern!r} never came:\n{text}"
            self.press(key)
            time.sleep(0.5)

    def dismiss(self, key: str, pattern: str) -> None:
        """Press a key until the screen no longer shows a dialog, and not again after that."""
        deadline = time.monotonic() + PATIENCE
        pressed = 0.0
        while re.search(pattern, text := self.text()) is not None:
            now = time.monotonic()
            assert now < deadline, f"{pattern!r} did not go:\n{text}"
            if now > pressed + 5:
                self.press(key)
                pressed = now
            time.sleep(0.1)

    def press(self, key: str) -> None:
        subprocess.run([*self._tmux, "send-keys", key], check=True)


class Evaluation:
    """One conversation of an agent, and the platform behind it.

    Attributes:
        folder: Where the agent's files go.
        model: What answers for its model.
        jobs: What it has ordered.
        variables: How the server reaches the kernel.
    """

    def __init__(self, folder: Path, model: ScriptedModel, jobs: Jobs, variables: Json) -> None:
        self.folder = folder
        self.model = model
        self.jobs = jobs
        self.variables = variables

    def claude(self, *options: str) -> Claude:
        """Return Claude Code with a server that has these options."""
        return Claude(self.folder, self.model, self.variables, *options)


Evaluate = Callable[..., AbstractContextManager[Evaluation]]


@pytest.fixture
def evaluate(kernel: LocalKernel, tmp_path: Path, request: pytest.FixtureRequest) -> Evaluate:
    """Starts a conversation with the steps of a model, for a separate agent."""
    if not (NODE_TOOLS / "claude").exists():
        pytest.skip("no Node tools here: scripts/node-tools installs them")

    @contextmanager
    def begin(*steps: Any, delay: float = 0) -> Iterator[Evaluation]:
        agent = kernel.new_agent("buyer")
        began = time.monotonic()
        with ScriptedModel(steps) as model, Jobs(kernel, agent.api_key, delay=delay) as jobs:
            yield Evaluation(tmp_path, model, jobs, reach(kernel, agent.api_key))
        tools = {json.dumps(tool) for turn in model.turns for tool in turn["tools"]}
        size = sum(len(tool) for tool in tools if "mcp__chaojiyuyan" in tool)
        seconds = time.monotonic() - began
        report.append(
            f"{request.node.name}: {len(model.turns)} turns, {size} bytes of tool definitions,"
            f" {seconds:.1f} s"
        )

    return begin
