from __future__ import annotations

import pytest

from chaojiyuyan_mcp._options import Choice
from chaojiyuyan_mcp._tools import TOOLS

READERS = [
    "kernel_list_capabilities",
    "kernel_get_job",
    "kernel_wait_for_job",
    "kernel_list_artifacts",
]
WORKERS = ["kernel_register_capability_handler", "kernel_claim_job", "kernel_submit_job"]


def names(choice: Choice) -> list[str]:
    return [tool.name for tool in choice.select(TOOLS)]


def test_all_tools_are_offered_by_default() -> None:
    assert names(Choice.of({})) == [tool.name for tool in TOOLS]


@pytest.mark.parametrize("flag", ["1", "true", "YES", " on "])
def test_read_only_from_the_environment(flag: str) -> None:
    assert names(Choice.of({"CHAOJIYUYAN_MCP_READ_ONLY": flag})) == READERS


@pytest.mark.parametrize("flag", ["", "0", "false", "No", "off"])
def test_the_environment_cannot_undo_the_option(flag: str) -> None:
    assert names(Choice.of({"CHAOJIYUYAN_MCP_READ_ONLY": flag}, read_only=True)) == READERS


def test_read_only_overrides_all() -> None:
    environ = {"CHAOJIYUYAN_MCP_READ_ONLY": "1"}
    chosen = Choice.of(environ, names=["kernel_create_job", "kernel_get_job"])
    assert names(chosen) == ["kernel_get_job"]


def test_a_toolset_selects_its_tools() -> None:
    assert names(Choice.of({}, toolset="worker")) == WORKERS
    assert names(Choice.of({"CHAOJIYUYAN_MCP_TOOLSET": "worker"})) == WORKERS
    both = Choice.of({"CHAOJIYUYAN_MCP_TOOLSET": "worker"}, toolset="caller")
    assert set(names(both)).isdisjoint(WORKERS)


def test_tools_by_name_keep_the_order_of_the_list() -> None:
    wanted = {"CHAOJIYUYAN_MCP_TOOLS": "kernel_wait_for_job, kernel_create_job"}
    assert names(Choice.of(wanted)) == ["kernel_create_job", "kernel_wait_for_job"]
    assert names(Choice.of(wanted, names=["kernel_get_job"])) == ["kernel_get_job"]


@pytest.mark.parametrize(
    "environ",
    [
        {"CHAOJIYUYAN_MCP_READ_ONLY": "perhaps"},
        {"CHAOJIYUYAN_MCP_TOOLSET": "everything"},
        {"CHAOJIYUYAN_MCP_TOOLS": "kernel_drop_tables"},
    ],
)
def test_an_invalid_choice_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        Choice.of(environ).select(TOOLS)
