"""The examples of docs/agents.md, each with its framework and a scripted model.

``./scripts/test-frameworks`` creates an environment for each framework and runs this file in it.
The name does not start with ``test_``, because ``./scripts/test`` does not have the frameworks.
The model and the platform are servers on loopback.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from chaojiyuyan_client import AsyncNexusClient, NexusClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
FRAMEWORK = os.environ["FRAMEWORK"]
KEY = "text.digest.v1"


class JSONServer(ThreadingHTTPServer):
    """A server on loopback with JSON requests and responses."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"

    def answer(self, method: str, path: str, body: Any) -> Any:
        """Return the response to a request, which is sent as JSON."""
        raise NotImplementedError

    def __enter__(self) -> Any:
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self._thread.start()
        return super().__enter__()

    def __exit__(self, *exc_info: object) -> None:
        self.shutdown()
        self._thread.join()
        super().__exit__(*exc_info)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        assert isinstance(self.server, JSONServer)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        answer = self.server.answer(self.command, self.path, json.loads(body or b"null"))
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, *args: object) -> None:
        pass


class Model(JSONServer):
    """Chat Completions: call the first tool with given arguments, then repeat its result."""

    arguments: dict[str, Any]

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Any] = []
        self.arguments = {"text": "one fish two fish"}

    def answer(self, method: str, path: str, body: Any) -> Any:
        self.requests.append(body)
        last = body["messages"][-1]
        message: dict[str, Any] = {"role": "assistant", "content": None}
        if last["role"] == "tool":
            message["content"] = last["content"]
        else:
            name = body["tools"][0]["function"]["name"]
            function = {"name": name, "arguments": json.dumps(self.arguments)}
            message["tool_calls"] = [{"id": "call_1", "type": "function", "function": function}]
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        return {
            "id": "chat_1",
            "object": "chat.completion",
            "created": 1,
            "model": "scripted",
            "choices": [choice],
            "usage": usage,
        }


class Platform(JSONServer):
    """Settles each job immediately with its number of words; fails a job without words."""

    def __init__(self) -> None:
        super().__init__()
        self.orders: list[Any] = []

    def answer(self, method: str, path: str, body: Any) -> Any:
        if path.startswith("/capability-specs"):
            text = {"type": "string", "description": "What to count"}
            schema = {"type": "object", "properties": {"text": text}, "required": ["text"]}
            entry = {"capability_key": KEY, "name": "Digest", "price_nc": 3, "input_schema": schema}
            return {"data": {"items": [entry]}}
        if method == "POST":
            self.orders.append(body)
            return {"data": {"id": "j1", "status": "queued", "price_nc": 3}}
        words = len(self.orders[-1]["input_payload"]["text"].split())
        if not words:
            return {"data": {"id": "j1", "status": "failed", "error_code": "empty"}}
        return {"data": {"id": "j1", "status": "succeeded", "output_envelope": {"words": words}}}


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[Model]:
    monkeypatch.setenv("OPENAI_AGENTS_DISABLE_TRACING", "1")
    with Model() as server:
        yield server


@pytest.fixture
def platform() -> Iterator[Platform]:
    with Platform() as server:
        yield server


def example(name: str) -> ModuleType:
    """Import the page's block with this file name."""
    page = (ROOT / "docs" / "agents.md").read_text(encoding="utf-8")
    found = re.search(rf"(?ms)^```python file={re.escape(name)} norun=framework\n(.*?)^```", page)
    assert found, f"docs/agents.md has no {name}"
    spec = importlib.util.spec_from_loader(name.removesuffix(".py"), None)
    assert spec
    module = importlib.util.module_from_spec(spec)
    exec(compile(found[1], name, "exec"), module.__dict__)
    return module


def run_openai_agents(tools: list[Any], url: str, is_async: bool) -> Any:
    """Return a function that runs the agent and returns its last text."""
    from agents import Agent, OpenAIChatCompletionsModel, Runner
    from openai import AsyncOpenAI

    convert = example("with_openai_agents.py").as_function_tool
    chat = OpenAIChatCompletionsModel("scripted", AsyncOpenAI(base_url=url, api_key="x"))
    agent = Agent(name="Reader", model=chat, tools=[convert(tool) for tool in tools])

    async def run() -> str:
        return str((await Runner.run(agent, "Count.")).final_output)

    return run() if is_async else str(Runner.run_sync(agent, "Count.").final_output)


def run_langchain(tools: list[Any], url: str, is_async: bool) -> Any:
    """Return a function that runs the agent and returns its last text."""
    from langchain.agents import create_agent
    from langchain_openai import ChatOpenAI

    convert = example("with_langchain.py").as_structured_tool
    chat = ChatOpenAI(model="scripted", base_url=url, api_key="x", max_retries=0)
    agent = create_agent(chat, [convert(tool) for tool in tools])
    question: Any = {"messages": [{"role": "user", "content": "Count."}]}

    async def run() -> str:
        return str((await agent.ainvoke(question))["messages"][-1].content)

    return run() if is_async else str(agent.invoke(question)["messages"][-1].content)


def run_pydantic_ai(tools: list[Any], url: str, is_async: bool) -> Any:
    """Return a function that runs the agent and returns its last text."""
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    convert = example("with_pydantic_ai.py").as_pydantic_ai_tool
    chat = OpenAIChatModel("scripted", provider=OpenAIProvider(base_url=url, api_key="x"))
    agent = Agent(chat, tools=[convert(tool) for tool in tools])

    async def run() -> str:
        return str((await agent.run("Count.")).output)

    return run() if is_async else str(agent.run_sync("Count.").output)


RUN: dict[str, Callable[[list[Any], str, bool], Any]] = {
    "openai-agents": run_openai_agents,
    "langchain": run_langchain,
    "pydantic-ai": run_pydantic_ai,
}


@pytest.fixture(params=["sync", "async", "async client"])
def ask(request: pytest.FixtureRequest, model: Model, platform: Platform) -> Callable[..., str]:
    """A function that creates the tools with options, asks the agent and returns its last text."""
    run, url = RUN[FRAMEWORK], f"{model.url}/v1"

    def ask_sync(**options: Any) -> str:
        with NexusClient("nxt_ag_test", platform.url) as client:
            return str(run(client.tools(KEY, **options), url, False))

    async def ask_async(**options: Any) -> str:
        with NexusClient("nxt_ag_test", platform.url) as client:
            return str(await run(client.tools(KEY, **options), url, True))

    async def ask_async_client(**options: Any) -> str:
        async with AsyncNexusClient("nxt_ag_test", platform.url) as client:
            return str(await run(await client.tools(KEY, **options), url, True))

    if request.param == "sync":
        return ask_sync
    chosen = ask_async if request.param == "async" else ask_async_client
    return lambda **options: asyncio.run(chosen(**options))


def test_the_model_sees_the_tool_and_its_output(ask: Any, model: Model, platform: Platform) -> None:
    assert json.loads(ask()) == {"words": 4}
    assert [order["input_payload"] for order in platform.orders] == [{"text": "one fish two fish"}]
    (tool,) = model.requests[0]["tools"]
    function = tool["function"]
    assert function["name"] == "text_digest_v1"
    assert "3 nc a call" in function["description"]
    assert function["parameters"]["properties"]["text"]["description"] == "What to count"
    assert not function.get("strict")


def test_a_failed_job_is_reported_to_the_model(ask: Any, model: Model, platform: Platform) -> None:
    model.arguments = {"text": ""}
    assert "Error: Job j1 failed (empty)" in ask()
    assert len(platform.orders) == 1


def test_a_refused_order_costs_nothing(ask: Any, platform: Platform) -> None:
    asked: list[object] = []

    def approve(tool: Any, payload: object) -> bool:
        asked.append((tool.name, payload))
        return False

    assert "Error: The order was declined" in ask(approve=approve)
    assert asked == [("text_digest_v1", {"text": "one fish two fish"})]
    assert platform.orders == []
