"""Many concurrent requests in one process: ``python wire_loop.py TASK BASE_URL``.

Each task prints the CPU time of this process:

- ``calls``: of ``AsyncNexusClient.call()``, of a bare ``httpx.AsyncClient``, and of the latter if
  ``import sniffio`` fails immediately, in microseconds;
- ``runs``: of ``AsyncNexusClient.run()`` with 10 tasks and with 1,000, in milliseconds;
- ``aiohttp``: of the same requests with 1,000 tasks of aiohttp;
- ``threads``: of ``call()`` with one thread and with 32, in microseconds;
- ``waits``: of each of 1,000 threads that wait for a job, in milliseconds.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import threading
import time
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

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
    from chaojiyuyan_client import NexusClient

    with NexusClient(KEY, base_url) as client:

        def measured(count: int) -> float:
            def work() -> None:
                for _ in range(1280 // count):
                    client.call("bench.v1", {"n": 1})

            return 1e6 * cpu_of_threads(work, count) / 1280

        measured(32)
        figures = [(measured(1), measured(32)) for _ in range(ROUNDS)]
    return [median(each) for each in zip(*figures, strict=True)]


def waits(base_url: str) -> list[float]:
    from chaojiyuyan_client import NexusClient

    with NexusClient(KEY, base_url) as client:
        job = client.call("bench.v1", {"settle": 4})
        return [1000 * cpu_of_threads(lambda: client.wait(job.id, timeout=280), MANY) / MANY]


def cpu_of_threads(work: Callable[[], object], count: int) -> float:
    began = time.process_time()
    started = [threading.Thread(target=work) for _ in range(count)]
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
