from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from chaojiyuyan_mcp._stdio import replace_lone_surrogates

if TYPE_CHECKING:
    from support.mcp_server import Wire

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=30)
)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
methods = st.sampled_from(
    [
        "initialize",
        "ping",
        "tools/list",
        "tools/call",
        "server/discover",
        "resources/list",
        "prompts/get",
        "completion/complete",
        "notifications/cancelled",
        "notifications/progress",
        "notifications/initialized",
        "logging/setLevel",
        "no/such",
    ]
)
messages = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | json_values,
        "id": st.integers(10_000_000) | json_values,
        "method": methods | json_values,
        "params": json_values
        | st.fixed_dictionaries(
            {},
            optional={
                "name": st.sampled_from(["kernel_get_job", "kernel_claim_job"]) | json_values,
                "arguments": json_values,
                "_meta": json_values,
                "requestId": json_values,
                "progressToken": json_values,
            },
        ),
        "result": json_values,
        "error": json_values,
    },
)
lines = (
    messages.map(lambda message: json.dumps(message).encode())
    | json_values.map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=200)
    | st.integers(1, 3000).map(lambda depth: b"[" * depth)
    | st.integers(1, 300).map(lambda depth: b'{"a":' * depth + b"1" + b"}" * depth)
)

fuzzing = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def is_well(wire: Wire) -> None:
    """Check that the server still responds and has written only protocol messages."""
    wire.notices.clear()
    assert wire.answer(wire.ask("ping"))["result"] == {}
    assert wire.strays == []
    assert wire.process.poll() is None


@fuzzing
@given(st.lists(lines, max_size=20))
def test_fuzzed_lines_do_not_break_the_server(wire: Wire, sent: list[bytes]) -> None:
    for line in sent:
        wire.write(line.replace(b"\n", b"") + b"\n")
    is_well(wire)


@fuzzing
@given(st.data())
def test_fuzzed_calls_do_not_break_the_server(wire: Wire, data: st.DataObject) -> None:
    listed = wire.answer(wire.ask("tools/list"))["result"]["tools"]
    tool = data.draw(st.sampled_from(listed))
    names = st.sampled_from([*tool["inputSchema"]["properties"], "surprise"])
    arguments = data.draw(st.dictionaries(names, json_values))
    for quick in ("timeout", "poll_interval"):
        arguments.pop(quick, None)
    if tool["name"] == "kernel_wait_for_job":
        arguments["timeout"] = 1
    message: Any = wire.answer(
        wire.ask("tools/call", {"name": tool["name"], "arguments": arguments})
    )
    if "error" in message:  # invalid JSON does not reach the tools
        assert message["error"]["code"] in (-32602, -32600)
    else:
        assert message["result"]["content"][0]["text"]
    is_well(wire)


@pytest.mark.parametrize(
    ("line", "read"),
    [
        (r'"\ud83d\ude00 \u00e4 \n"', "\N{GRINNING FACE} \xe4 \n"),
        (r'"\ud83d"', "\ufffd"),
        (r'"\uDE00\uD83D x"', "\ufffd\ufffd x"),
        (r'"\ud83d\ud83d\ude00"', "\ufffd\N{GRINNING FACE}"),
        (r'"\\ud83d"', r"\ud83d"),
    ],
)
def test_half_a_character_is_replaced(line: str, read: str) -> None:
    assert json.loads(replace_lone_surrogates(line)) == read


def test_a_call_with_half_a_character_gets_a_response(wire: Wire) -> None:
    number = wire.begin("kernel_get_job", job_id="\ud83d")
    assert wire.result(number).failed
    is_well(wire)


def test_a_long_line_is_read(wire: Wire) -> None:
    number = wire.begin("kernel_get_job", job_id="x" * 5_000_000)
    assert wire.result(number).error["code"] == "bad_arguments"
    is_well(wire)


def test_a_line_in_pieces_is_read(wire: Wire) -> None:
    line = json.dumps({"jsonrpc": "2.0", "id": "pieces", "method": "ping", "params": {}}).encode()
    for byte in line + b"\n":
        wire.write(bytes([byte]))
    while "pieces" not in wire.answers:
        assert wire.take(10)
    assert wire.answers.pop("pieces")["result"] == {}
