"""Fixtures for the command, its terminal and the servers that it talks to."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.command_line import Cli
from support.fake_platform import FakePlatform
from support.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chaojiyuyan_devserver.testing import LocalKernel


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def cli(home: Path) -> Cli:
    return Cli(home)


@pytest.fixture
def connected(cli: Cli, kernel: LocalKernel) -> Cli:
    """The command, logged in to the local kernel."""
    cli.log_in(kernel.base_url, kernel.api_key)
    return cli


@pytest.fixture
def terminal(cli: Cli) -> Iterator[Callable[..., Terminal]]:
    """Start the command on a terminal."""
    started = []

    def start(*arguments: str, columns: int = 100, **env: str) -> Terminal:
        started.append(
            Terminal([*cli.command, *arguments], {**cli.env, **env}, cli.folder, columns)
        )
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def platform() -> Iterator[FakePlatform]:
    with FakePlatform() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def node_tools() -> Path:
    """Return the folder in which scripts/node-tools installs Node 22 and the MCP clients."""
    checkout = Path(__file__).parents[2]
    folder = Path(os.environ.get("CHAOJIYUYAN_NODE_TOOLS") or checkout / ".hatch" / "node")
    if not (folder / "bin" / "claude").exists():
        pytest.skip(f"no Claude Code in {folder}: scripts/node-tools installs it")
    return folder / "bin"
