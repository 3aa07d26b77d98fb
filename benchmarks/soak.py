"""The soak test: workers under mixed faults for a given time, and their memory over 10,000 jobs.

Three worker processes serve a local kernel that answers every endpoint with faults. One after the
other they are killed, frozen past their leases or told to stop, and the kernel is restarted now and
then. At the end every job must have been settled exactly once.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from chaojiyuyan_devserver.testing import LocalKernel

from .soak_worker import MANY
from .worker import Server

WORKER = Path(__file__).with_name("soak_worker.py")
WORKERS = 3
LEASE = 3
BACKLOG = 60
LONGEST_JOB = 0.5
ENDPOINTS = ("register", "available", "bid", "heartbeat", "submit")
EFFECTS = ("503", "429", "html", "junk", "drop-before", "drop-after", "delay:1s")
SHARE = "0.5%"
GROWTH = 1.05


class Fleet:
    """The worker processes, and what happens to them."""

    def __init__(self, folder: Path, kernel: LocalKernel) -> None:
        self._runs = folder / "runs"
        self._log = (folder / "workers.log").open("w")
        self._environment = {
            **os.environ,
            "CHAOJIYUYAN_API_KEY": kernel.api_key,
            "HEBING_BASE_URL": kernel.base_url,
        }
        self._processes = [self._start() for _ in range(WORKERS)]

    def _start(self) -> subprocess.Popen[bytes]:
        argv = [sys.executable, str(WORKER), str(self._runs)]
        return subprocess.Popen(argv, env=self._environment, stderr=self._log)

    def strike(self) -> str:
        """Do something to one of them, and return what."""
        index = random.randrange(WORKERS)
        process = self._processes[index]
        what = random.choice(["killed", "frozen", "stopped"])
        if what == "frozen":
            process.send_signal(signal.SIGSTOP)
            time.sleep(LEASE + 1)
            process.send_signal(signal.SIGCONT)
            return what
        process.send_signal(signal.SIGKILL if what == "killed" else signal.SIGTERM)
        code = process.wait(60)
        if what == "stopped" and code:
            raise SystemExit(f"a worker that was stopped ended with {code}")
        self._processes[index] = self._start()
        return what

    def runs(self) -> Counter[str]:
        lines = self._runs.read_text().splitlines() if self._runs.exists() else []
        return Counter(line.split()[0] for line in lines)

    def close(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(60)
        self._log.close()


def endure(minutes: float) -> list[str]:
    """Run under faults for so long; return what went wrong."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kernel = stack.enter_context(LocalKernel(folder / "kernel", lease=LEASE))
        faults = [f"{endpoint}={effect}@{SHARE}" for endpoint in ENDPOINTS for effect in EFFECTS]
        kernel.set_faults(faults)
        fleet = Fleet(folder, kernel)
        stack.callback(fleet.close)
        events: Counter[str] = Counter()
        posted: list[str] = []
        strike_at = time.monotonic() + 5
        restart_at = time.monotonic() + 30
        end = time.monotonic() + 60 * minutes
        client = stack.enter_context(kernel.client())
        while time.monotonic() < end:
            while len(posted) - len(fleet.runs()) < BACKLOG:
                payload = {"seconds": random.uniform(0, LONGEST_JOB)}
                job = {"capability_key": "test.echo.v1", "input_payload": payload}
                answer = client.post("/kernel-jobs", json=job).raise_for_status()
                posted.append(answer.json()["data"]["id"])
            if time.monotonic() > strike_at:
                events[fleet.strike()] += 1
                strike_at = time.monotonic() + 5
            if time.monotonic() > restart_at:
                kernel.kill()
                kernel.start()
                kernel.set_faults(faults)
                events["kernel restarted"] += 1
                restart_at = time.monotonic() + 30
            time.sleep(0.1)
        kernel.clear_faults()
        problems = settled_once(kernel, posted)
        again = sum(count - 1 for count in fleet.runs().values())
        happened = ", ".join(f"{count} {what}" for what, count in sorted(events.items()))
        print(f"{len(posted)} jobs, {again} runs more than jobs; {happened}", flush=True)
    return problems


def settled_once(kernel: LocalKernel, posted: list[str]) -> list[str]:
    """Wait until every job has ended; return those that did not end as they should."""
    problems = []
    patience = time.monotonic() + 120
    for job_id in posted:
        job = kernel.job(job_id)
        while job["status"] not in ("succeeded", "failed", "expired", "cancelled"):
            if time.monotonic() > patience:
                break
            time.sleep(0.1)
            job = kernel.job(job_id)
        if job["status"] != "succeeded" or job["settlements"] != 1:
            reason = job["error_code"] or f"settled {job['settlements']} times"
            problems.append(f"{job_id} {job['status']}: {reason}")
    return problems


def memory() -> list[str]:
    """Work off 10,000 jobs; return what is wrong with the memory that it took."""
    with Server() as server:
        server.backlog(MANY)
        argv = [sys.executable, str(WORKER), server.url]
        done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=300)
    few, many = map(int, done.stdout.split())
    print(f"memory: {few} KiB after 1,000 jobs, {many} KiB after {MANY:,}", flush=True)
    return [] if many <= few * GROWTH else [f"memory grew by {many / few - 1:.0%}"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0, help="how long, 2 by default")
    minutes = parser.parse_args().minutes
    problems = [*memory(), *endure(minutes)]
    for problem in problems:
        print(problem)
    print("something is wrong" if problems else "every job settled once, memory flat")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
