"""The MCP server without the command line, as the Claude Desktop bundle runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.environments import INITIALIZE, at

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from chaojiyuyan_devserver.testing import LocalKernel
    from support.environments import Environment

TOOLS = [
    "kernel_list_capabilities",
    "kernel_create_job",
    "kernel_get_job",
    "kernel_wait_for_job",
    "kernel_list_artifacts",
    "kernel_register_capability_handler",
    "kernel_claim_job",
    "kernel_submit_job",
]
CONVERSATION = [
    INITIALIZE,
    {"method": "notifications/initialized"},
    {"id": 2, "method": "tools/list"},
]


@pytest.fixture(scope="module")
def desktop(new_environment: Callable[[str, Path], Environment], interpreter: Path) -> Environment:
    environment = new_environment("desktop", interpreter)
    environment.install("chaojiyuyan-mcp")
    return environment


def test_mcp_does_not_install_the_command_line(
    desktop: Environment, weigh: Callable[[str, Environment], None]
) -> None:
    found = set(desktop.packages())
    assert {name for name in found if name.startswith("chaojiyuyan")} == {
        "chaojiyuyan-core",
        "chaojiyuyan-client",
        "chaojiyuyan-worker",
        "chaojiyuyan-mcp",
    }
    weigh("Claude Desktop", desktop)


@pytest.mark.parametrize("command", [["chaojiyuyan-mcp"], ["python", "-m", "chaojiyuyan_mcp"]])
def test_it_lists_its_tools(desktop: Environment, command: list[str], kernel: LocalKernel) -> None:
    with desktop.conversation(*command, **at(kernel)) as ask:
        listed = ask(CONVERSATION, until=2)
    assert [tool["name"] for tool in listed["result"]["tools"]] == TOOLS
