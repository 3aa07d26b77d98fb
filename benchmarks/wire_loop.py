"""Many concurrent requests in one process: ``python wire_loop.py TASK BASE_URL``.

Each task prints the CPU time of this process:

- ``calls``: of ``AsyncNexusClient.call()``, of a bare ``httpx.AsyncClient``, and of the latter if
  ``import sniffio`` fails immediately, in microseconds;
- ``runs``: of ``AsyncNexusClient.run()`` with 10 tasks and with 1,000, in milliseconds;
- ``aiohttp``: of the same requests with 1,000 tasks of aiohttp;
- ``threads``: of ``call()`` with one thread and with 32, and of 32 threads that each have a bare
  ``httpx.Client``, in microseconds;
- ``waits``: of each of 1,000 threads that wait for a job, in milliseconds.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import threading
import time
from contextlib import ExitStack
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

KEY = "nxt_ag_bench"
BODY = {"capability_key": "bench.v1", "input_payload": {"n": 1}, "idempotency_key": "k"}
ROUNDS = 5
RUNS = 1000
MANY = 1000


async def calls(base_url: str) -> list[float]:
    import httpx

    from chaojiyuyan_client import AsyncNexusClient

    url, headers = f"{base_url}/kernel-jobs", {"Authorization": f"Bearer {KEY}"}

    async def ours() -> None:
        await client.call("bench.v1", {"n": 1})

    async def bare() -> None:
        (await http.post(url, json=BODY, headers=headers)).json()

    async def bare_without_the_search() -> None:
        sys.modules["sniffio"] = None  # type: ignore[assignment]  # the import fails immediately
        await bare()
        del sys.modules["sniffio"]

    rivals = (ours, bare, bare_without_the_search)
    figures: list[list[float]] = [[] for _ in rivals]
    async with AsyncNexusClient(KEY, base_url) as client, httpx.AsyncClient() as http:
        for _ in range(ROUNDS):
            for found, act in zip(figures, rivals, strict=True):
                found.append(1000 * await cpu_of_tasks(act, 1, 200))
    return [median(found) for found in figures]


async def runs(base_url: str) -> list[float]:
    from chaojiyuyan_client import AsyncNexusClient

    async def act() -> None:
        await client.run("bench.v1", {"n": 1}, timeout=280)

    async with AsyncNexusClient(KEY, base_url) as client:
        return await few_and_many(act)


async def aiohttp(base_url: str) -> list[float]:
    import aiohttp  # type: ignore[import-not-found]

    async def act() -> None:
        async with http.post(f"{base_url}/kernel-jobs", json=BODY) as answer:
            job = (await answer.json())["data"]
        async with http.get(f"{base_url}/kernel-jobs/{job['id']}") as answer:
            await answer.json()

    connector = aiohttp.TCPConnector(limit=MANY)
    headers = {"Authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as http:
        return await few_and_many(act)


async def few_and_many(act: Callable[[], Awaitable[None]]) -> list[float]:
    """The cost with 10 tasks and with 1,000, in turn; all connections are already open."""
    await cpu_of_tasks(act, MANY, 1)
    figures = [
        (await cpu_of_tasks(act, 10, RUNS // 10), await cpu_of_tasks(act, MANY, RUNS // MANY))
        for _ in range(ROUNDS)
    ]
    return [median(each) for each in zip(*figures, strict=True)]


async def cpu_of_tasks(act: Callable[[], Awaitable[None]], tasks: int, each: int) -> float:
    async def work() -> None:
        for _ in range(each):
            await act()

    began = time.process_time()
    await asyncio.gather(*(work() for _ in range(tasks)))
    return 1000 * (time.process_time() - began) / (tasks * each)


def threads(base_url: str) -> list[float]:
    import httpx

    from chaojiyuyan_client import NexusClient

    url, headers = f"{base_url}/kernel-jobs", {"Authorization": f"Bearer {KEY}"}

    def cost(acts: Sequence[Callable[[], object]]) -> float:
        each = 1280 // len(acts)
        return 1e6 * cpu_of_threads([partial(repeat, act, each) for act in acts]) / 1280

    with ExitStack() as stack:
        client = stack.enter_context(NexusClient(KEY, base_url))
        ours = [partial(client.call, "bench.v1", {"n": 1})] * 32
        clients = [stack.enter_context(httpx.Client(headers=headers)) for _ in range(32)]
        bare = [partial(http.post, url, json=BODY) for http in clients]
        for acts in (ours, bare):
            cost(acts)
        figures = [(cost(ours[:1]), cost(ours), cost(bare)) for _ in range(ROUNDS)]
    return [median(each) for each in zip(*figures, strict=True)]


def waits(base_url: str) -> list[float]:
    from chaojiyuyan_client import NexusClient

    with NexusClient(KEY, base_url) as client:
        job = client.call("bench.v1", {"settle": 4})
        waiting = [partial(client.wait, job.id, timeout=280)] * MANY
        return [1000 * cpu_of_threads(waiting) / MANY]


def repeat(act: Callable[[], object], times: int) -> None:
    for _ in range(times):
        act()


def cpu_of_threads(acts: Iterable[Callable[[], object]]) -> float:
    began = time.process_time()
    started = [threading.Thread(target=act) for act in acts]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    return time.process_time() - began


def main(task: str, base_url: str) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    act = {"calls": calls, "runs": runs, "aiohttp": aiohttp, "threads": threads, "waits": waits}[
        task
    ]
    figures = act(base_url)
    print(*(figures if isinstance(figures, list) else asyncio.run(figures)))


if __name__ == "__main__":
    main(*sys.argv[1:])
