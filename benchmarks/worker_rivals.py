"""What the worker benchmarks run as processes: ``worker_rivals.py RIVAL URL JOBS SECONDS [SLOTS]``.

``ours``, ``floor`` and ``bare`` work off a backlog in so many slots, 32 by default; ``peer`` is the
released worker, one at a time; each job takes so many seconds. ``bare`` bids and submits on threads
with a one-connection ``httpx.HTTPTransport`` each. They print the CPU milliseconds of the work.
``ours-one`` and ``peer-one`` wait for jobs. ``hold`` holds so many leases for so many seconds and
prints what that costs. ``post`` posts jobs at random distances of so many seconds at most.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import random
import sys
import threading
import time
from typing import Any

KEY = "nxt_ag_bench_bench"
CONCURRENCY = 32


def ours(url: str, jobs: int, seconds: float, concurrency: int = CONCURRENCY) -> None:
    import httpx

    from chaojiyuyan_worker import Worker

    httpx.create_ssl_context()  # it reads the root certificates
    begun = time.process_time()
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
    print(1000 * (time.process_time() - begun))


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


def bare(url: str, jobs: int, seconds: float, slots: int) -> None:
    import httpx

    context = httpx.create_ssl_context()
    begun = time.process_time()
    numbers = iter(range(1, jobs + 1))
    lock = threading.Lock()
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    output = json.dumps({"output_envelope": {"n": 1}, "artifacts": []}).encode()

    def loop() -> None:
        limits = httpx.Limits(max_connections=1)
        transport = httpx.HTTPTransport(verify=context, limits=limits)

        def post(path: str, content: bytes) -> None:
            request = httpx.Request("POST", url + path, headers=headers, content=content)
            response = transport.handle_request(request)
            json.loads(response.read())

        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            post(f"/kernel-jobs/job-{number}/bid", b"{}")
            if seconds:
                time.sleep(seconds)
            post(f"/kernel-jobs/job-{number}/submit", output)

    threads = [threading.Thread(target=loop) for _ in range(slots)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(1000 * (time.process_time() - begun))


class Late(logging.Handler):
    """Counts the lines about late and lost leases."""

    count = 0

    def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002 - logging's name
        self.count += 1


def hold(url: str, jobs: int, seconds: float) -> None:
    """Print the CPU share, the late heartbeats, and the threads early and late."""
    from chaojiyuyan_worker import Worker

    worker = Worker(KEY, url, concurrency=jobs)
    late, done, held = Late(level=logging.WARNING), threading.Event(), threading.Semaphore(0)
    logging.getLogger("chaojiyuyan_worker").addHandler(late)

    @worker.handler("bench.noop")
    def work(_task: object) -> dict[str, Any]:
        held.release()
        done.wait()
        return {"n": 1}

    def watch() -> None:
        for _ in range(jobs):
            held.acquire()
        time.sleep(seconds / 3)
        begun, early, lines = time.process_time(), threading.active_count(), late.count
        time.sleep(seconds * 2 / 3)
        share = (time.process_time() - begun) / (seconds * 2 / 3)
        found = {"share": share, "late": late.count - lines, "early": early}
        print(json.dumps({**found, "threads": threading.active_count()}), flush=True)
        worker.stop()
        done.set()

    threading.Thread(target=watch).start()
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
    slots = int(sys.argv[5]) if len(sys.argv) > 5 else CONCURRENCY
    if rival == "ours":
        ours(url, jobs, seconds, slots)
    elif rival == "bare":
        bare(url, jobs, seconds, slots)
    elif rival == "hold":
        hold(url, jobs, seconds)
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
