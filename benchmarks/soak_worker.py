"""The soak test's worker: ``soak_worker.py RUNS_FILE`` until it is stopped, or ``… URL`` in memory.

With a file, each run of the handler is a line in it. With the URL of a bare server it works off ten
thousand jobs and prints its resident memory, in KiB, after the first thousand and at the end.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from pathlib import Path

from chaojiyuyan_worker import TaskContext, Worker, configure_logging

FEW, MANY = 1_000, 10_000


def resident() -> int:
    """The resident memory of this process, in KiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def measure(url: str) -> None:
    worker = Worker("nxt_ag_soak_soak", url, concurrency=8)
    count = itertools.count(1)

    @worker.handler("bench.noop")
    def work(_task: TaskContext) -> dict[str, object]:
        number = next(count)
        if number in (FEW, MANY):
            print(resident(), flush=True)
        if number == MANY:
            worker.stop()
        return {"n": 1}

    worker.run()


def endure(runs_file: str) -> None:
    configure_logging("text")
    worker = Worker.from_env(concurrency=8)
    with open(runs_file, "a", buffering=1) as runs:  # noqa: PTH123

        @worker.handler("test.echo.v1")
        def work(task: TaskContext) -> dict[str, object]:
            runs.write(f"{task.job_id} {os.getpid()}\n")
            time.sleep(task.input["seconds"])
            return task.input

        worker.run(poll_interval=0.5, heartbeat_interval=0.7)


if __name__ == "__main__":
    target = sys.argv[1]
    measure(target) if target.startswith("http") else endure(target)
