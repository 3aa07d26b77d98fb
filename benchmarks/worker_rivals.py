"""What the worker benchmarks run as processes: ``worker_rivals.py RIVAL URL JOBS SECONDS``.

``ours`` and ``floor`` work off a backlog at concurrency 32, ``peer`` the released worker, one at a
time; each job takes so many seconds. ``ours-one`` and ``peer-one`` wait for jobs. ``post`` posts
jobs at random distances of so many seconds at most.
"""

from __future__ import annotations

import itertools
import os
import random
import sys
import threading
import time
from typing import Any

KEY = "nxt_ag_bench_bench"
CONCURRENCY = 32


def ours(url: str, jobs: int, seconds: float, concurrency: int = CONCURRENCY) -> None:
    from chaojiyuyan_worker import Worker

    worker = Worker(KEY, url, concurrency=concurrency)
    count = itertools.count(1)

    @worker.handler("bench.noop")
    def work(_task: object) -> dict[str, Any]:
        if seconds:
            time.sleep(seconds)
        if next(count) == jobs:
            worker.stop()
        return {"n": 1}

    worker.run()


def released(url: str, jobs: int, seconds: float) -> None:
    """The released worker has no way to be stopped but from outside."""
    from chaojiyuyan_sdk import Worker

    worker = Worker(KEY, url)
    count = itertools.count(1)

    @worker.handler("bench.noop")
    def work(_task: object) -> dict[str, Any]:
        if seconds:
            time.sleep(seconds)
        if next(count) == jobs:
            threading.Timer(1.0, os._exit, [0]).start()
        return {"n": 1}

    worker.run()


def floor(url: str, jobs: int, seconds: float) -> None:
    import httpx

    context = httpx.create_ssl_context()
    numbers = iter(range(1, jobs + 1))
    lock = threading.Lock()

    def loop() -> None:
        headers = {"authorization": f"Bearer {KEY}"}
        with httpx.Client(base_url=url, headers=headers, verify=context) as client:
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                client.post(f"/kernel-jobs/job-{number}/bid", json={})
                if seconds:
                    time.sleep(seconds)
                output = {"output_envelope": {"n": 1}, "artifacts": []}
                client.post(f"/kernel-jobs/job-{number}/submit", json=output)

    threads = [threading.Thread(target=loop) for _ in range(CONCURRENCY)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def post(url: str, jobs: int, seconds: float) -> None:
    import httpx

    with httpx.Client(base_url=url) as client:
        while "available" not in client.get("/_stats").json()["requests"]:
            time.sleep(0.05)
        for _ in range(jobs):
            time.sleep(random.uniform(0, seconds))
            client.post("/_job")


def main() -> None:
    rival, url, jobs, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    if rival == "ours":
        ours(url, jobs, seconds)
    elif rival == "ours-one":
        ours(url, jobs, seconds, concurrency=1)
    elif rival in ("peer", "peer-one"):
        released(url, jobs, seconds)
    elif rival == "floor":
        floor(url, jobs, seconds)
    else:
        post(url, jobs, seconds)


if __name__ == "__main__":
    main()
