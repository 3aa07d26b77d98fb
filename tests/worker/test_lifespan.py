"""What a worker opens before its first poll and closes after its last submit."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from chaojiyuyan_worker import TaskContext, Worker, lifespan_initializer
from chaojiyuyan_worker.testing import run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from chaojiyuyan_devserver.testing import LocalKernel

KEY = "test.echo.v1"


def generator() -> Iterator[str]:
    yield "open"


def generator_with_worker(worker: Worker) -> Iterator[str]:
    yield f"open {len(worker.handlers)}"[:4]


async def async_generator() -> AsyncIterator[str]:
    await asyncio.sleep(0)
    yield "open"


@contextmanager
def manager() -> Iterator[str]:
    yield "open"


@asynccontextmanager
async def async_manager() -> AsyncIterator[str]:
    yield "open"


@pytest.mark.parametrize(
    "function", [generator, generator_with_worker, async_generator, manager, async_manager]
)
def test_a_handler_gets_the_value_of_the_lifespan(function: Any) -> None:
    worker = Worker("nxt_ag_test", "http://127.0.0.1:1/api/v1")
    assert worker.lifespan(function) is function

    @worker.handler(KEY)
    def handle(task: TaskContext) -> dict[str, object]:
        return {"state": task.state}

    assert run(worker, KEY, {}) == {"state": "open"}


def test_without_a_lifespan_the_state_is_none() -> None:
    worker = Worker("nxt_ag_test", "http://127.0.0.1:1/api/v1")
    worker.handler(KEY)(lambda task: {"state": task.state})

    assert run(worker, KEY, {}) == {"state": None}


@pytest.mark.parametrize("is_async", [False, True], ids=["plain", "async"])
def test_the_lifespan_is_open_from_first_poll_to_last_submit(
    kernel: LocalKernel, is_async: bool
) -> None:
    told: list[str] = []

    def plain() -> Iterator[None]:
        told.append("opened")
        yield
        told.append("closed")

    async def asynchronous() -> AsyncIterator[None]:
        told.append(f"opened on {id(asyncio.get_running_loop())}")
        yield
        told.append("closed")

    def note(response: httpx.Response) -> None:
        told.append(response.request.url.path.rpartition("/")[2])

    with httpx.Client(event_hooks={"response": [note]}) as client:
        worker = Worker(kernel.api_key, kernel.base_url, http_client=client)
        worker.lifespan(asynchronous if is_async else plain)

        @worker.handler(KEY)
        async def handle(task: TaskContext) -> dict[str, object]:
            told.append(f"handled on {id(asyncio.get_running_loop())}")
            return {"echo": task.input}

        with kernel.client() as caller:
            order = {"capability_key": KEY, "input_payload": {"n": 1}}
            assert caller.post("/kernel-jobs", json=order).status_code == 201
        worker.run(once=True)

    assert told[0].startswith("opened")
    assert told[1] == "capabilities"
    assert told[-2:] == ["submit", "closed"]
    if is_async:
        handled = next(event for event in told if event.startswith("handled"))
        assert handled.rpartition(" ")[2] == told[0].rpartition(" ")[2]


def test_an_error_of_the_lifespan_is_raised_before_a_poll() -> None:
    def handle_request(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    def broken() -> Iterator[None]:
        raise OSError("no database")
        yield

    transport = httpx.MockTransport(handle_request)
    worker = Worker("nxt_ag_test", http_client=httpx.Client(transport=transport))
    worker.handler(KEY)(lambda task: {})
    worker.lifespan(broken)

    with pytest.raises(OSError, match="no database"):
        worker.run()


def test_the_lifespan_is_closed_after_an_error() -> None:
    told: list[str] = []

    def plain() -> Iterator[None]:
        try:
            yield
        finally:
            told.append("closed")

    refusal = {"detail": {"error": "unknown key", "code": "invalid_api_key"}}
    transport = httpx.MockTransport(lambda request: httpx.Response(401, json=refusal))
    worker = Worker("nxt_ag_test", http_client=httpx.Client(transport=transport))
    worker.handler(KEY)(lambda task: {})
    worker.lifespan(plain)

    with pytest.raises(Exception, match="unknown key"):
        worker.run()

    assert told == ["closed"]


def test_a_function_that_yields_nothing_is_a_type_error() -> None:
    worker = Worker("nxt_ag_test", "http://127.0.0.1:1/api/v1")
    worker.handler(KEY)(lambda task: {})
    worker.lifespan(lambda: 3)  # type: ignore[arg-type,return-value]

    with pytest.raises(TypeError, match="yield once or return a context manager, not int"):
        worker.run()


MODULE = """
from pathlib import Path
from chaojiyuyan_worker import Worker

worker = Worker("nxt_ag_test", "http://127.0.0.1:1/api/v1")

@worker.lifespan
def files():
    yield "open over there"
    Path(__file__).with_suffix(".closed").touch()

@worker.handler("test.echo.v1")
def handle(task):
    return {"state": task.state}
"""


def test_each_process_of_a_pool_opens_its_lifespan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pooled_worker.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    import pooled_worker  # type: ignore[import-not-found]

    worker: Worker = pooled_worker.worker
    try:
        initializer = lifespan_initializer("pooled_worker:worker")
        with ProcessPoolExecutor(1, initializer=initializer) as pool:
            worker.executor = pool

            assert run(worker, KEY, {}) == {"state": "open over there"}
    finally:
        sys.modules.pop("pooled_worker")
    assert (tmp_path / "pooled_worker.closed").exists()
