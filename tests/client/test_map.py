"""`map`, sync and async: its orders, the order of its results, and its end."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

from chaojiyuyan_client import AsyncNexusClient, JobFailed, JobTimeout, MapResult, NexusClient
from support.background import meanwhile

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

KEY = "test.echo.v1"


class Platform:
    """Settles each job with its own input, when `holds_back` returns false."""

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.orders: list[dict[str, Any]] = []
        self.holds_back: Callable[[dict[str, Any]], bool] = lambda order: False
        self._lock = threading.Lock()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            order = json.loads(request.content)
            with self._lock:
                key = order["idempotency_key"]
                status = 200 if key in self.jobs else 201
                self.jobs.setdefault(key, {**order, "id": f"j{len(self.jobs)}"})
                self.orders.append(order)
            return self._answer(status, self.jobs[key])
        path = request.url.path.rpartition("/")[2]
        if path == "kernel-jobs":
            return httpx.Response(200, json={"data": []})
        return self._answer(200, next(job for job in self.jobs.values() if job["id"] == path))

    def _answer(self, status: int, job: dict[str, Any]) -> httpx.Response:
        row = {"id": job["id"], "status": "running", "capability_key": KEY}
        if not self.holds_back(job):
            payload = job["input_payload"]
            row["status"] = "failed" if payload.get("fails") else "succeeded"
            row["output_envelope"] = payload
        return httpx.Response(status, json={"data": row})

    @property
    def inputs(self) -> list[Any]:
        return [order["input_payload"].get("n") for order in self.orders]


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def client(platform: Platform, mocked: Callable[..., Any]) -> Any:
    return mocked(platform)


def numbers(count: int) -> list[dict[str, int]]:
    return [{"n": number} for number in range(count)]


def test_each_input_gets_its_result_in_order(client: Any, platform: Platform) -> None:
    results = list(client.map(KEY, iter(numbers(40)), concurrency=7))
    assert [result.index for result in results] == list(range(40))
    assert [result.input for result in results] == numbers(40)
    assert [result.output for result in results] == numbers(40)
    assert all(result.error is None and result.job.done for result in results)
    assert sorted(platform.inputs) == list(range(40))


def test_nothing_is_ordered_before_the_first_result_is_read(
    client: Any, platform: Platform
) -> None:
    results = client.map(KEY, numbers(3))
    assert platform.orders == []
    assert next(iter(results)).index == 0


def test_unordered_results_come_as_the_jobs_end(client: Any, platform: Platform) -> None:
    seen: list[int] = []
    platform.holds_back = lambda order: order["input_payload"]["n"] == 0 and len(seen) < 5
    for result in client.map(KEY, numbers(6), concurrency=6, ordered=False):
        seen.append(result.index)  # noqa: PERF401  (the platform reads it during the loop)
    assert seen[-1] == 0
    assert sorted(seen) == list(range(6))


@pytest.mark.parametrize("ordered", [True, False])
def test_no_more_inputs_are_taken_than_concurrency_allows(
    client: Any, platform: Platform, ordered: bool
) -> None:
    taken = itertools.count()
    last = -1

    def endless() -> Iterator[dict[str, int]]:
        nonlocal last
        while True:
            last = next(taken)
            yield {"n": last}

    results = iter(client.map(KEY, endless(), concurrency=4, ordered=ordered))
    for yielded in range(1, 31):
        next(results)
        assert last - yielded < 4
    time.sleep(0.05)  # long enough for an unwanted order
    assert len(platform.orders) <= 30 + 4


def test_memory_is_constant_over_many_inputs(platform: Platform) -> None:
    transport = httpx.MockTransport(platform)
    client = NexusClient("nxt_ag_key", http_client=httpx.Client(transport=transport))
    alive = 0

    class Input(dict[str, int]):
        def __init__(self, number: int) -> None:
            nonlocal alive
            alive += 1
            super().__init__(n=number)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    most = 0
    for result in client.map(KEY, map(Input, range(300)), concurrency=5):
        most = max(most, alive)
        del result
    assert most <= 12


def test_a_failed_job_is_raised_in_its_place(client: Any, platform: Platform) -> None:
    inputs = [{"n": 0}, {"n": 1, "fails": True}, {"n": 2}]
    results = iter(client.map(KEY, inputs, concurrency=1))
    assert next(results).index == 0
    with pytest.raises(JobFailed):
        next(results)
    assert 2 not in platform.inputs


def test_return_exceptions_returns_errors_in_results(client: Any) -> None:
    inputs: list[Any] = [{"n": 0}, {"n": 1, "fails": True}, 5]
    good, failed, invalid = client.map(KEY, inputs, return_exceptions=True)
    assert good.output == {"n": 0}
    assert failed.job.status == "failed"
    for result, kind in ((failed, JobFailed), (invalid, TypeError)):
        assert type(result.error) is kind
        with pytest.raises(kind):
            result.output  # noqa: B018


def test_each_job_has_its_own_timeout(client: Any, platform: Platform) -> None:
    platform.holds_back = lambda order: order["input_payload"]["n"] == 1
    results = list(client.map(KEY, numbers(3), timeout=0.3, return_exceptions=True))
    assert [type(result.error) for result in results] == [type(None), JobTimeout, type(None)]
    assert results[1].job is None


def test_an_exception_of_the_inputs_comes_after_the_results(client: Any) -> None:
    def broken() -> Iterator[dict[str, int]]:
        yield from numbers(3)
        raise LookupError("the file ends here")

    seen = []
    with pytest.raises(LookupError, match="ends here"):
        for result in client.map(KEY, broken()):
            seen.append(result.index)  # noqa: PERF401  (it is needed after the error)
    assert seen == [0, 1, 2]


class Interrupting(Mapping[str, int]):
    """An input whose code raises a BaseException that is not an ``Exception``."""

    def __init__(self, kind: type[BaseException]) -> None:
        self._kind = kind

    def __getitem__(self, key: str) -> int:
        raise self._kind("of an input")

    def __iter__(self) -> Iterator[str]:
        raise self._kind("of an input")

    def __len__(self) -> int:
        return 1


@pytest.mark.parametrize("kind_of_error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_base_exception_of_an_input_ends_the_map(
    client: Any, platform: Platform, kind_of_error: type[BaseException]
) -> None:
    platform.holds_back = lambda order: True
    with pytest.raises(kind_of_error, match="of an input"):
        list(client.map(KEY, [{"n": 0}, Interrupting(kind_of_error)], return_exceptions=True))
    assert platform.inputs in ([0], [])


@pytest.mark.parametrize("kind_of_error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_base_exception_of_the_iterable_ends_the_map(
    client: Any, platform: Platform, kind_of_error: type[BaseException]
) -> None:
    def interrupted() -> Iterator[dict[str, int]]:
        yield {"n": 0}
        raise kind_of_error("of the inputs")

    platform.holds_back = lambda order: True
    with pytest.raises(kind_of_error, match="of the inputs"):
        list(client.map(KEY, interrupted()))


def test_the_options_apply_to_each_order(client: Any, platform: Platform) -> None:
    list(client.map(KEY, numbers(2), timeout_sec=9, channel_context={"a": 1}))
    assert [order["timeout_sec"] for order in platform.orders] == [9, 9]
    list(client.map(KEY, [{"n": 1}, {"n": 1.0}], reuse="input"))
    assert len(platform.jobs) == 3


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"concurrency": 0}, ValueError),
        ({"concurrency": 1.5}, ValueError),
        ({"timeout": float("nan")}, ValueError),
        ({"timeout": -1}, ValueError),
        ({"idempotency_prefix": "p", "reuse": "input"}, ValueError),
        ({"idempotency_prefix": ""}, ValueError),
        ({"retry_failed": True}, ValueError),
        ({"idempotency_key": "k"}, TypeError),
        ({"poll_intervall": 1}, TypeError),
    ],
)
def test_wrong_arguments_are_refused_at_once(
    client: Any, options: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        client.map(KEY, [], **options)


# --- again with the same prefix ------------------------------------------------------------------


def test_a_second_run_orders_nothing_twice(client: Any, platform: Platform) -> None:
    first = [result.job.id for result in client.map(KEY, numbers(5), idempotency_prefix="p")]
    again = [result.job.id for result in client.map(KEY, numbers(5), idempotency_prefix="p")]
    assert first == again
    assert len(platform.jobs) == 5


def test_an_edited_input_never_gets_the_old_result(client: Any, platform: Platform) -> None:
    list(client.map(KEY, numbers(3), idempotency_prefix="p"))
    edited = [{"n": 0}, {"n": 10}, {"n": 2}]
    outputs = [result.output for result in client.map(KEY, edited, idempotency_prefix="p")]
    assert outputs == edited
    assert len(platform.jobs) == 4
    list(client.map("other.v1", numbers(1), idempotency_prefix="p"))
    assert len(platform.jobs) == 5


def test_retry_failed_orders_failed_jobs_again(client: Any, platform: Platform) -> None:
    inputs = [{"n": 0}, {"n": 1, "fails": True}]
    options: dict[str, Any] = {"idempotency_prefix": "p", "return_exceptions": True}
    platform.holds_back = lambda order: len(platform.orders) < 2  # they end when both are ordered
    list(client.map(KEY, inputs, **options))
    assert len(platform.jobs) == 2
    list(client.map(KEY, inputs, **options))
    assert len(platform.jobs) == 2
    anew = platform.jobs.copy()
    done: list[int] = []
    platform.holds_back = lambda order: order["idempotency_key"] not in anew and not done
    with meanwhile(lambda: done.append(1), delay=0.3):
        list(client.map(KEY, inputs, retry_failed=True, **options))
    (key,) = platform.jobs.keys() - anew.keys()
    assert key.removesuffix("-2") in anew


ORDERING = """
import sys
from chaojiyuyan_client import NexusClient

client = NexusClient(sys.argv[1], sys.argv[2])
inputs = [{"n": number} for number in range(6)]
list(client.map("test.echo.v1", inputs, concurrency=4, idempotency_prefix="batch"))
"""


def test_a_killed_run_is_resumed(kernel: Any) -> None:
    agent = kernel.new_agent()
    argv = [sys.executable, "-c", ORDERING, agent.api_key, kernel.base_url]
    with (
        NexusClient(agent.api_key, kernel.base_url) as client,
        subprocess.Popen(argv) as process,
    ):
        try:
            while len(list(client.jobs())) < 4:
                assert process.poll() is None
                time.sleep(0.05)
        finally:
            os.kill(process.pid, signal.SIGKILL)
        inputs = numbers(6)

        def settle() -> None:
            while len(jobs := list(client.jobs())) < len(inputs):
                time.sleep(0.05)
            for job in jobs:
                kernel.settle(job.id, {})

        results = client.map(KEY, inputs, concurrency=6, idempotency_prefix="batch", timeout=30)
        with meanwhile(settle):
            assert [result.input for result in results] == inputs
        assert len(list(client.jobs())) == 6


# --- leaving early -------------------------------------------------------------------------------


def test_without_further_threads_the_running_ones_take_turns(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, started = threading.Thread.start, []

    def start_two(thread: threading.Thread) -> None:
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    transport = httpx.MockTransport(platform)
    client = NexusClient("nxt_ag_key", http_client=httpx.Client(transport=transport))
    monkeypatch.setattr(threading.Thread, "start", start_two)
    results = list(client.map(KEY, numbers(20), concurrency=7))
    assert [result.output for result in results] == numbers(20)
    for thread in started:
        thread.join(5)


def test_leaving_the_loop_stops_further_orders(platform: Platform) -> None:
    transport = httpx.MockTransport(platform)
    client = NexusClient("nxt_ag_key", http_client=httpx.Client(transport=transport))
    platform.holds_back = lambda order: order["input_payload"]["n"] > 0
    for result in client.map(KEY, itertools.repeat({"n": 0}), concurrency=3):
        assert isinstance(result, MapResult)
        break
    ordered = len(platform.orders)
    time.sleep(0.3)
    assert len(platform.orders) == ordered
    for thread in threading.enumerate():
        if thread.name == "chaojiyuyan-map":
            thread.join(5)
            assert not thread.is_alive()


LEAVING = """
import sys
from chaojiyuyan_client import NexusClient

client = NexusClient(sys.argv[1], sys.argv[2])
results = client.map("test.echo.v1", [{"n": n} for n in range(4)], ordered=False, timeout=300)
try:
    for result in results:
        print(result.index)
        break
finally:
    print("left", flush=True)
"""


def test_a_program_that_left_the_loop_exits_with_open_jobs(kernel: Any) -> None:
    agent = kernel.new_agent()
    with NexusClient(agent.api_key, kernel.base_url) as client:
        argv = [sys.executable, "-c", LEAVING, agent.api_key, kernel.base_url]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
            while len(jobs := list(client.jobs())) < 4:
                assert process.poll() is None
                time.sleep(0.05)
            kernel.settle(jobs[0].id, {})
            assert process.wait(timeout=20) == 0
        assert [job.done for job in client.jobs()].count(False) == 3


@pytest.fixture(params=["asyncio", "trio"])
def on_loop(request: pytest.FixtureRequest, platform: Platform) -> Callable[..., None]:
    """Run an async function with a client, on asyncio or on trio."""

    def run(use: Callable[[AsyncNexusClient], Any]) -> None:
        async def main() -> None:
            http_client = httpx.AsyncClient(transport=httpx.MockTransport(platform))
            await use(AsyncNexusClient("nxt_ag_key", http_client=http_client))

        anyio.run(main, backend=request.param)

    return run


def test_async_inputs_are_taken_when_there_is_room(on_loop: Any) -> None:
    taken = 0

    async def inputs() -> AsyncIterator[dict[str, int]]:
        nonlocal taken
        for number in range(20):
            await anyio.sleep(0)
            taken += 1
            yield {"n": number}

    async def use(client: AsyncNexusClient) -> None:
        yielded = 0
        async for result in client.map(KEY, inputs(), concurrency=3):
            yielded += 1
            assert result.output == {"n": result.index}
            assert taken - yielded < 3
        assert yielded == 20

    on_loop(use)


def test_results_do_not_wait_for_a_slow_async_input(on_loop: Any) -> None:
    more: Any = None

    async def inputs() -> AsyncIterator[dict[str, int]]:
        yield {"n": 0}
        await more.wait()
        yield {"n": 1}

    async def use(client: AsyncNexusClient) -> None:
        nonlocal more
        more = anyio.Event()
        seen = []
        async for result in client.map(KEY, inputs()):
            seen.append(result.index)
            more.set()
        assert seen == [0, 1]

    on_loop(use)


def test_leaving_an_async_loop_cancels_its_waits(platform: Platform, on_loop: Any) -> None:
    platform.holds_back = lambda order: order["input_payload"]["n"] > 0

    async def use(client: AsyncNexusClient) -> None:
        before = len(anyio.get_running_tasks())
        results = client.map(KEY, numbers(50), concurrency=3)
        async for result in results:
            assert result.index == 0
            break
        await results.aclose()  # type: ignore[attr-defined]
        ordered = len(platform.orders)
        await anyio.wait_all_tasks_blocked()
        assert len(platform.orders) == ordered <= 4
        assert len(anyio.get_running_tasks()) == before

    on_loop(use)


def test_a_cancellation_raised_by_the_inputs_is_raised(on_loop: Any) -> None:
    async def inputs() -> AsyncIterator[dict[str, int]]:
        yield {"n": 0}
        raise asyncio.CancelledError("a task that the inputs waited for")

    async def use(client: AsyncNexusClient) -> None:
        with pytest.raises(asyncio.CancelledError):
            async for _ in client.map(KEY, inputs()):
                pass

    on_loop(use)


def test_a_cancelled_reader_of_a_map_leaves_nothing_running(
    platform: Platform, on_loop: Any
) -> None:
    platform.holds_back = lambda order: True

    async def use(client: AsyncNexusClient) -> None:
        before = len(anyio.get_running_tasks())
        async with anyio.create_task_group() as group:
            group.start_soon(read, client)
            while len(platform.orders) < 3:
                await anyio.sleep(0.001)
            group.cancel_scope.cancel()
        await anyio.wait_all_tasks_blocked()
        assert len(anyio.get_running_tasks()) == before

    async def read(client: AsyncNexusClient) -> None:
        async with aclosing(client.map(KEY, numbers(50), concurrency=3)) as results:
            async for _ in results:
                pass

    on_loop(use)
