from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from jsonschema import Draft202012Validator

from chaojiyuyan_mcp._options import Choice
from chaojiyuyan_mcp._results import ToolError
from chaojiyuyan_mcp._server import describe_server
from chaojiyuyan_mcp._tools import TOOLS, Tool

BY_NAME = {tool.name: tool for tool in TOOLS}

# The documented arguments, the required ones first.
ARGUMENTS = {
    "kernel_list_capabilities": ((), ("category", "query", "limit", "cursor")),
    "kernel_create_job": (("capability_key", "input_payload"), ("idempotency_key", "wait")),
    "kernel_get_job": (("job_id",), ("pointer", "offset")),
    "kernel_wait_for_job": (("job_id",), ("timeout", "poll_interval")),
    "kernel_list_artifacts": (("job_id",), ()),
    "kernel_register_capability_handler": (("capability_keys",), ()),
    "kernel_claim_job": (
        (),
        ("capability_key", "limit", "heartbeat_interval", "max_hold_seconds"),
    ),
    "kernel_submit_job": (
        ("job_id", "output_envelope"),
        ("artifacts", "publish", "license", "tags"),
    ),
}
DEFAULTS = {
    ("kernel_wait_for_job", "timeout"): 50,
    ("kernel_claim_job", "limit"): 10,
    ("kernel_claim_job", "heartbeat_interval"): 10,
    ("kernel_claim_job", "max_hold_seconds"): 600,
}
READERS = {
    "kernel_list_capabilities",
    "kernel_get_job",
    "kernel_wait_for_job",
    "kernel_list_artifacts",
}
LIMIT_OF_CLAUDE_CODE = 2_048


def schema(tool: Tool) -> Any:
    return tool.definition.input_schema


def refusal(tool: Tool, arguments: Any) -> str:
    with pytest.raises(ToolError) as caught:
        tool.check(arguments)
    assert caught.value.code == "bad_arguments"
    return caught.value.error


def test_the_tools_are_the_documented_ones_in_their_order() -> None:
    assert [tool.name for tool in TOOLS] == list(ARGUMENTS)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
class TestEachTool:
    def test_each_tool_has_exactly_the_documented_arguments(self, tool: Tool) -> None:
        required, optional = ARGUMENTS[tool.name]
        assert schema(tool)["required"] == list(required)
        assert list(schema(tool)["properties"]) == [*required, *optional]
        assert schema(tool)["additionalProperties"] is False

    def test_schemas_are_valid_and_describe_each_argument(self, tool: Tool) -> None:
        for each in (tool.input_schema, tool.output_schema):
            Draft202012Validator.check_schema(each)
            assert each["type"] == "object"
        assert tool.output_schema["additionalProperties"] is True
        for name, argument in schema(tool)["properties"].items():
            assert argument["description"], name

    def test_each_tool_has_a_title_and_a_description(self, tool: Tool) -> None:
        listed = tool.definition
        assert listed.title
        assert listed.icons
        assert listed.description is not None
        assert 80 < len(listed.description) < LIMIT_OF_CLAUDE_CODE

    def test_each_tool_has_all_four_hints(self, tool: Tool) -> None:
        hints = tool.definition.annotations
        assert hints is not None
        reads = tool.name in READERS
        assert hints.read_only_hint is reads
        assert hints.destructive_hint is False
        assert hints.idempotent_hint is (reads or tool.name.startswith("kernel_register"))
        assert hints.open_world_hint is True

    def test_unknown_arguments_are_refused(self, tool: Tool) -> None:
        assert "surprise" in refusal(tool, {**minimal(tool), "surprise": 1})

    def test_null_arguments_are_like_empty_ones(self, tool: Tool) -> None:
        if ARGUMENTS[tool.name][0]:
            assert "required" in refusal(tool, None)
        else:
            assert tool.check(None) == {}


def minimal(tool: Tool) -> dict[str, Any]:
    values: dict[str, Any] = {"string": "x", "object": {}, "array": ["x"]}
    properties = schema(tool)["properties"]
    return {name: values[properties[name]["type"]] for name in schema(tool)["required"]}


def test_the_documented_defaults() -> None:
    for (tool, argument), default in DEFAULTS.items():
        assert schema(BY_NAME[tool])["properties"][argument]["default"] == default


@pytest.mark.parametrize(
    "job_id",
    ["", ".", "..", "a/b", "../capability-specs", "a b", "/", 7, None, "a" * 1_000_000 + "/"],
    ids=lambda job_id: repr(job_id)[:20],
)
def test_an_invalid_job_id_is_refused(job_id: object) -> None:
    takers = [tool for tool in TOOLS if "job_id" in schema(tool)["required"]]
    assert len(takers) == 4
    for tool in takers:
        assert "job_id" in refusal(tool, {**minimal(tool), "job_id": job_id})


@pytest.mark.parametrize("job_id", ["job_1", "a.b", "..a.", "作业", "a%2Fb"])
def test_a_valid_job_id_is_accepted(job_id: str) -> None:
    assert BY_NAME["kernel_get_job"].check({"job_id": job_id}) == {"job_id": job_id}


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("kernel_wait_for_job", {"job_id": "x", "timeout": 0.5}),
        ("kernel_wait_for_job", {"job_id": "x", "timeout": True}),
        ("kernel_wait_for_job", {"job_id": "x", "timeout": 10**400}),
        ("kernel_wait_for_job", {"job_id": "x", "timeout": float("nan")}),
        ("kernel_wait_for_job", {"job_id": "x", "poll_interval": 0.05}),
        ("kernel_claim_job", {"limit": 51}),
        ("kernel_claim_job", {"limit": 0}),
        ("kernel_claim_job", {"heartbeat_interval": 0.9}),
        ("kernel_claim_job", {"max_hold_seconds": 29}),
        ("kernel_register_capability_handler", {"capability_keys": []}),
        ("kernel_register_capability_handler", {"capability_keys": ["x"] * 51}),
        ("kernel_register_capability_handler", {"capability_keys": "x"}),
        ("kernel_create_job", {"capability_key": "x", "input_payload": []}),
        ("kernel_create_job", {"capability_key": "x", "input_payload": {"a": float("inf")}}),
        ("kernel_list_capabilities", {"limit": 1.5}),
    ],
)
def test_values_out_of_bounds_are_refused(tool: str, arguments: dict[str, Any]) -> None:
    refusal(BY_NAME[tool], arguments)


def test_a_validation_error_names_the_place_and_is_short() -> None:
    tool = BY_NAME["kernel_register_capability_handler"]
    assert refusal(tool, {"capability_keys": ["x", 7]}).startswith("capability_keys[1]: 7 is not")
    assert len(refusal(tool, {"capability_keys": "x" * 10_000})) < 400


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_fuzzed_arguments_are_accepted_or_refused(data: st.DataObject) -> None:
    tool = data.draw(st.sampled_from(TOOLS))
    names = st.sampled_from([*schema(tool)["properties"], "surprise"])
    arguments = data.draw(st.dictionaries(names, json_values))
    fits = Draft202012Validator(tool.input_schema).is_valid(arguments)
    try:
        json.dumps(arguments, allow_nan=False)
    except ValueError:
        fits = False
    if fits:
        assert tool.check(arguments) == arguments
    else:
        assert refusal(tool, arguments)


def test_the_instructions_describe_the_offered_tools() -> None:
    whole = describe_server(TOOLS)
    assert len(whole) < LIMIT_OF_CLAUDE_CODE
    assert all(tool.name in whole for tool in TOOLS)
    assert "COSTS" in whole
    reading = describe_server(Choice.of({}, read_only=True).select(TOOLS))
    assert "kernel_create_job" not in reading
    assert "kernel_claim_job" not in reading
    longest = describe_server(TOOLS[:7], ["x" * 64] * 20)
    assert len(longest) < LIMIT_OF_CLAUDE_CODE
    assert "COSTS credits" in longest
