"""Fixtures for MCP servers of one test or of a module."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from support.mcp_server import Servers, Wire, reach

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from chaojiyuyan_devserver.testing import LocalKernel


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    made = Servers(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def module_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    made = Servers(tmp_path_factory.mktemp("servers"))
    yield made
    made.close()


@pytest.fixture
def wire(kernel: LocalKernel, module_servers: Servers) -> Wire:
    """An initialized server of the shared kernel for the tests of a module."""
    for wire in module_servers.started:
        if wire.process.poll() is None:
            return wire
    wire = module_servers.start(**reach(kernel))
    wire.greet()
    return wire


@pytest.fixture
def eventually() -> Callable[[Callable[[], object], float], None]:
    """Wait for a condition that has no event."""

    def wait(condition: Callable[[], object], timeout: float = 10) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, "it never came true"
            time.sleep(0.02)

    return wait
