"""Capabilities as tools: the texts for a model, and the costs."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from chaojiyuyan_client import AsyncNexusClient, NexusClient, Tool

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "text.upper.v1"
CATALOG: list[dict[str, Any]] = [
    {
        "capability_key": KEY,
        "name": "Upper\u202ecase",
        "description": "Makes text\n  upper case.\U000e0041",
        "price_nc": 3,
        "input_schema": {
            "type": "object",
            "properties": {"text": {"type": "string", "description": "a\u2066b"}},
            "required": ["text"],
        },
    },
    {"capability_key": "free.form.v1", "name": "Free", "price_nc": "?", "input_schema": {"a": 1}},
    {"capability_key": "图像.v1", "name": "Image", "price_nc": 50, "description": "x" * 5000},
]


class Platform:
    """Settles each job at once, with the output or error of a test."""

    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = []
        self.result: dict[str, Any] = {"status": "succeeded", "output_envelope": {"text": "HI"}}
        self.refusal: httpx.Response | Exception | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/capability-specs"):
            return httpx.Response(200, json={"data": CATALOG})
        if request.method == "POST":
            if isinstance(self.refusal, Exception):
                raise self.refusal
            if self.refusal is not None:
                return self.refusal
            self.orders.append(json.loads(request.content))
            return httpx.Response(201, json={"data": {"id": "j1", "status": "queued"}})
        return httpx.Response(200, json={"data": {"id": "j1", **self.result}})


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture(params=["call", "acall", "async client"])
def make_use(request: pytest.FixtureRequest, platform: Platform) -> Any:
    """Make a function that calls a tool, in every possible way: ``make_use(approve=…)``."""
    transport = httpx.MockTransport(platform)

    def make(**options: Any) -> Callable[[str, object], Any]:
        client_options = options.pop("client", {})

        def use_sync(key: str, payload: Any) -> Any:
            http_client = httpx.Client(transport=transport)
            client = NexusClient("nxt_ag_0123456789", http_client=http_client, **client_options)
            (tool,) = client.tools(key, **options)
            if request.param == "call":
                return tool.call(payload)
            return asyncio.run(tool.acall(payload))

        async def use_async(key: str, payload: Any) -> Any:
            http_client = httpx.AsyncClient(transport=transport)
            client = AsyncNexusClient(
                "nxt_ag_0123456789", http_client=http_client, **client_options
            )
            (tool,) = await client.tools(key, **options)
            return await tool.acall(payload)

        if request.param == "async client":
            return lambda key, payload: asyncio.run(use_async(key, payload))
        return use_sync

    return make


@pytest.fixture
def tools(platform: Platform) -> list[Tool]:
    transport = httpx.MockTransport(platform)
    client = NexusClient("nxt_ag_0123456789", http_client=httpx.Client(transport=transport))
    return client.tools()


# --- what a model is told ------------------------------------------------------------------------


def test_a_tool_has_the_description_of_the_catalog(tools: list[Tool]) -> None:
    upper, free, image = tools
    assert [tool.capability_key for tool in tools] == [KEY, "free.form.v1", "图像.v1"]
    assert (upper.name, upper.price_nc) == ("text_upper_v1", 3)
    assert upper.description == (
        "Uppercase: Makes text upper case. (capability text.upper.v1, 3 nc a call)"
    )
    assert upper.input_schema["properties"]["text"]["description"] == "ab"
    assert free.input_schema == {"type": "object", "properties": {}, "additionalProperties": True}
    assert free.price_nc is None
    assert free.description.endswith("(capability free.form.v1, unknown price)")
    assert len(image.description) == 1000
    assert image.description.endswith("(capability 图像.v1, 50 nc a call)")


@pytest.mark.parametrize("price", [True, -1, 1.5, "3", None])
def test_a_price_that_is_not_a_whole_number_is_unknown(price: Any) -> None:
    tool = Tool({"capability_key": KEY, "price_nc": price}, None)  # type: ignore[arg-type, typeddict-item]
    assert tool.price_nc is None
    assert "unknown price" in tool.description


def test_a_tool_has_the_forms_of_the_model_apis(tools: list[Tool]) -> None:
    tool = tools[0]
    facts = {"name": tool.name, "description": tool.description}
    chat = {"type": "function", "function": {**facts, "parameters": tool.input_schema}}
    assert tool.openai() == chat
    responses = tool.openai(api="responses")
    assert responses["parameters"] == tool.input_schema
    assert not responses["strict"]
    assert {**facts, "type": "function"}.items() <= responses.items()
    assert tool.anthropic() == {**facts, "input_schema": tool.input_schema}
    with pytest.raises(ValueError, match="api is"):
        tool.openai(api="completions")  # type: ignore[arg-type]


def test_each_named_tool_is_returned_once(platform: Platform) -> None:
    transport = httpx.MockTransport(platform)
    client = NexusClient("nxt_ag_key", http_client=httpx.Client(transport=transport))
    assert [tool.capability_key for tool in client.tools("free.form.v1", KEY, KEY)] == [
        "free.form.v1",
        KEY,
    ]
    with pytest.raises(ValueError, match=r"no capability 'unknown\.v1'"):
        client.tools(KEY, "unknown.v1")


@pytest.mark.parametrize(
    "schema", [{"type": "object", "a": "x" * 60_000}, {"type": "array"}, [], 5]
)
def test_a_schema_of_no_object_allows_any_object(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, schema: Any
) -> None:
    monkeypatch.setitem(CATALOG[1], "input_schema", schema)
    transport = httpx.MockTransport(platform)
    client = NexusClient("nxt_ag_key", http_client=httpx.Client(transport=transport))
    assert client.tools("free.form.v1")[0].input_schema["additionalProperties"]


# --- what a call does ----------------------------------------------------------------------------


def test_a_call_returns_the_output(make_use: Any, platform: Platform) -> None:
    assert make_use()(KEY, {"text": "hi"}) == {"text": "HI"}
    assert platform.orders[0]["input_payload"] == {"text": "hi"}


def test_an_output_is_cleaned(make_use: Any, platform: Platform) -> None:
    platform.result["output_envelope"] = {
        "hidden\u202e": ["a\U000e0041b", "nxt_ag_0123456789"],
        "long": "x" * 50_000,
        "many": list(range(5000)),
        "number": 1.5,
    }
    output = make_use()(KEY, {"text": "hi"})
    assert output["hidden"] == ["ab", "nxt_…6789"]
    assert len(output["long"]) == 20_000
    assert output["many"][-1] == "… (4000 more were left out)"
    assert output["number"] == 1.5


@pytest.mark.parametrize("payload", [{}, {"text": 5}, 5, "text", None, ["a"]])
def test_an_invalid_input_costs_nothing(make_use: Any, platform: Platform, payload: Any) -> None:
    asked: list[object] = []
    use = make_use(approve=lambda tool, given: asked.append(given) or True)
    answer = use(KEY, payload)
    assert answer.startswith("Error: ")
    assert "Nothing was ordered" in answer
    assert platform.orders == asked == []


def test_without_the_extra_the_platform_checks(
    make_use: Any, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    assert make_use()(KEY, {}) == {"text": "HI"}


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("verdict", [False, True])
def test_an_approval_is_asked_before_the_order(
    make_use: Any, platform: Platform, is_async: bool, verdict: bool
) -> None:
    asked: list[object] = []

    def approve(tool: Tool, payload: object) -> bool:
        asked.append((tool.capability_key, tool.price_nc, payload, len(platform.orders)))
        return verdict

    async def approve_async(tool: Tool, payload: object) -> bool:
        await asyncio.sleep(0)
        return approve(tool, payload)

    answer = make_use(approve=approve_async if is_async else approve)(KEY, {"text": "hi"})
    assert asked == [(KEY, 3, {"text": "hi"}, 0)]
    assert len(platform.orders) == verdict
    if not verdict:
        assert answer.startswith("Error: The order was declined")


def test_an_approved_price_is_a_limit(
    make_use: Any, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raise_price(tool: Tool, payload: object) -> bool:
        monkeypatch.setitem(CATALOG[0], "price_nc", 30)
        monkeypatch.setattr("chaojiyuyan_client._catalog.MAX_AGE", -1)
        return True

    answer = make_use(approve=raise_price)(KEY, {"text": "hi"})
    assert answer.startswith("Error: text.upper.v1 costs 30 nc")
    assert platform.orders == []


def test_a_price_above_the_limit_is_an_error(make_use: Any, platform: Platform) -> None:
    assert make_use(max_price_nc=2)(KEY, {"text": "hi"}).startswith("Error: text.upper.v1 costs 3")
    answer = make_use(client={"budget_nc": 2})(KEY, {"text": "hi"})
    assert answer.startswith("Error: The order costs 3 nc")
    assert platform.orders == []


def test_a_timeout_says_not_to_order_again(make_use: Any, platform: Platform) -> None:
    platform.result = {"status": "running"}
    answer = make_use(timeout=0.2)(KEY, {"text": "hi"})
    assert answer.startswith("Error: Job j1 has not ended within 0.2 s")
    assert "do not order it again" in answer


def test_a_failed_job_says_why(make_use: Any, platform: Platform) -> None:
    platform.result = {"status": "failed", "error_code": "bad", "error_message": "no\u202e " * 999}
    answer = make_use()(KEY, {"text": "hi"})
    assert answer.startswith("Error: Job j1 failed (bad: no no")
    assert len(answer) < 1100


def test_after_a_lost_answer_the_order_may_exist(make_use: Any, platform: Platform) -> None:
    platform.refusal = httpx.ReadError("cut nxt_ag_0123456789")
    answer = make_use(client={"max_retries": 0})(KEY, {"text": "hi"})
    assert answer.startswith("Error: The order failed: ReadError")
    assert "A job may have been ordered" in answer
    assert "0123456789" not in answer


def test_a_refusal_of_the_platform_is_an_error(make_use: Any, platform: Platform) -> None:
    body = {"detail": {"code": "insufficient_balance", "error": "too little"}}
    platform.refusal = httpx.Response(402, json=body)
    answer = make_use()(KEY, {"text": "hi"})
    assert answer == "Error: API error 402 (insufficient_balance): too little"


def test_a_job_that_cannot_be_read_names_its_id(make_use: Any, platform: Platform) -> None:
    platform.result = {"status": "succeeded", "output_envelope": {}, "id": 5}
    answer = make_use(timeout=0.2)(KEY, {"text": "hi"})
    assert answer.startswith("Error: ")
    assert "j1" in answer
    assert "again" in answer


def test_a_cancellation_is_raised(platform: Platform) -> None:
    platform.result = {"status": "running"}

    async def main() -> None:
        http_client = httpx.AsyncClient(transport=httpx.MockTransport(platform))
        (tool,) = await AsyncNexusClient("nxt_ag_key", http_client=http_client).tools(KEY)
        task = asyncio.create_task(tool.acall({"text": "hi"}))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_a_tool_of_an_async_client_says_to_await(platform: Platform) -> None:
    async def main() -> None:
        http_client = httpx.AsyncClient(transport=httpx.MockTransport(platform))
        (tool,) = await AsyncNexusClient("nxt_ag_key", http_client=http_client).tools(KEY)
        with pytest.raises(RuntimeError, match="await acall"):
            tool.call({"text": "hi"})

    asyncio.run(main())
