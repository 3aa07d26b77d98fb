"""Run the same tests with both clients: a wrapper runs the coroutines of the async client."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from chaojiyuyan_client import AsyncJob, AsyncNexusClient, NexusClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path


class OnLoop:
    """Wraps an object of the async client and runs its coroutines to completion."""

    def __init__(self, target: Any, loop: asyncio.AbstractEventLoop) -> None:
        self.target = target
        self.loop = loop

    def __getattr__(self, name: str) -> Any:
        return self._settled(getattr(self.target, name))

    def __getitem__(self, key: str) -> Any:
        return self.target[key]

    def __eq__(self, other: object) -> bool:
        return bool(self.target == (other.target if isinstance(other, OnLoop) else other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self.target)

    def _settled(self, value: Any) -> Any:
        if inspect.iscoroutine(value):
            return self._settled(self.loop.run_until_complete(value))
        if inspect.isasyncgen(value):
            return self._iterated(value)
        if callable(value):
            return lambda *args, **options: self._settled(value(*args, **options))
        if isinstance(value, (AsyncJob, AsyncNexusClient)):
            return OnLoop(value, self.loop)
        return value

    def _iterated(self, values: AsyncIterator[Any]) -> Iterator[Any]:
        async def following() -> Any:
            return await anext(values, self)

        while (value := self.loop.run_until_complete(following())) is not self:
            yield self._settled(value)


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make_client(kind: str) -> Iterator[Callable[..., Any]]:
    """Make a client of either kind from the given arguments."""
    made: list[Any] = []
    loop = asyncio.new_event_loop() if kind == "async" else None

    def make(*args: Any, **options: Any) -> Any:
        client = (
            NexusClient(*args, **options)
            if loop is None
            else OnLoop(AsyncNexusClient(*args, **options), loop)
        )
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()
    if loop is not None:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


@pytest.fixture
def agent(kernel: Any) -> Any:
    """An agent of the local kernel without jobs."""
    return kernel.new_agent()


@pytest.fixture
def client(kernel: Any, agent: Any, make_client: Callable[..., Any]) -> Any:
    """A client of either kind for this agent."""
    return make_client(agent.api_key, kernel.base_url)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary home folder, and no variables of ours in the environment."""
    for name in ("CHAOJIYUYAN", "HEBING", "NEXUS"):
        for what in ("API_KEY", "BASE_URL", "PROFILE"):
            monkeypatch.delenv(f"{name}_{what}", raising=False)
    path = tmp_path / ".chaojiyuyan" / "credentials"
    monkeypatch.setattr("chaojiyuyan_core.credentials.CREDENTIALS_PATH", path)
    return path


@pytest.fixture
def mocked(kind: str, make_client: Callable[..., Any]) -> Any:
    """Make a client of either kind with a mock transport: ``mocked(handler, …)``."""

    def make(handler: Callable[[httpx.Request], httpx.Response], **options: Any) -> Any:
        transport = httpx.MockTransport(handler)
        cls = httpx.Client if kind == "sync" else httpx.AsyncClient
        return make_client("nxt_ag_key", http_client=cls(transport=transport), **options)

    return make
