"""Fan-out: `map` compared with as many threads of `run`, on the local kernel with a worker."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .method import Row, in_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chaojiyuyan_client import NexusClient

JOBS = 400
OPEN = 32
ROUNDS = 11
CAPABILITY = "test.echo.v1"
WORKER = f"""
from chaojiyuyan_worker import Worker

worker = Worker.from_env(concurrency={OPEN})
worker.handler({CAPABILITY!r})(lambda task: task.input)
worker.run(poll_interval=0.05)
"""


def rows() -> list[Row]:
    from chaojiyuyan_client import NexusClient
    from chaojiyuyan_devserver.testing import LocalKernel

    with tempfile.TemporaryDirectory() as folder, LocalKernel(Path(folder)) as kernel:
        key = kernel.new_agent("worker").api_key
        with (
            _worker(key, kernel.base_url),
            NexusClient(kernel.new_agent().api_key, kernel.base_url) as client,
        ):
            cpu: dict[str, list[float]] = {"map": [], "threads": []}
            rates = in_turn(
                {
                    "map": _timed(lambda: _map(client), cpu["map"]),
                    "threads": _timed(lambda: _threads(client), cpu["threads"]),
                },
                ROUNDS,
            )
    mapped, threaded = (sorted(figures)[len(figures) // 2] for figures in cpu.values())
    against = f"{OPEN} threads of run()"
    return [
        Row(f"map(), {OPEN} jobs open, jobs/s", rates["map"], rates["threads"], against, ">= 0.9"),
        Row("the same, CPU ms a job", mapped, threaded, against, "<= 1.0"),
    ]


def _map(client: NexusClient) -> None:
    inputs = ({"n": number} for number in range(JOBS))
    done = sum(1 for _ in client.map(CAPABILITY, inputs, concurrency=OPEN, timeout=60))
    assert done == JOBS


def _threads(client: NexusClient) -> None:
    numbers, lock = itertools.count(), threading.Lock()

    def work() -> None:
        while True:
            with lock:
                number = next(numbers)
            if number >= JOBS:
                return
            client.run(CAPABILITY, {"n": number}, timeout=60)

    with ThreadPoolExecutor(OPEN) as pool:
        for future in [pool.submit(work) for _ in range(OPEN)]:
            future.result()


def _timed(act: Callable[[], None], cpu: list[float]) -> Callable[[], float]:
    """Return a function that runs the jobs and returns their rate; it appends the CPU of a job."""

    def measured() -> float:
        began, spent = time.perf_counter(), time.process_time()
        act()
        cpu.append(1000 * (time.process_time() - spent) / JOBS)
        return JOBS / (time.perf_counter() - began)

    return measured


@contextmanager
def _worker(api_key: str, base_url: str) -> Iterator[None]:
    environment = {**os.environ, "CHAOJIYUYAN_API_KEY": api_key, "HEBING_BASE_URL": base_url}
    with subprocess.Popen([sys.executable, "-c", WORKER], env=environment) as process:
        try:
            yield
        finally:
            process.terminate()
