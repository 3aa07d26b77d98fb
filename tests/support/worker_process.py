"""A worker process. Each run of a handler adds a line to ``$RUNS_FILE``."""

from __future__ import annotations

import logging
import os
import signal
import time
from typing import Any

from chaojiyuyan_worker import TaskContext, Worker, configure_logging


def note(task: TaskContext) -> None:
    with open(os.environ["RUNS_FILE"], "a") as runs:  # noqa: PTH123
        runs.write(f"{task.job_id} {os.getpid()}\n")


def echo(task: TaskContext) -> dict[str, Any]:
    note(task)
    end = time.monotonic() + task.input.get("seconds", 0)
    if task.input.get("fork"):
        return {"ended_by": end_a_child()}
    if task.input.get("hog"):
        while time.monotonic() < end:
            pass
    while time.monotonic() < end:
        time.sleep(0.01)
    return {"pid": os.getpid(), "late": task.cancelled}


def end_a_child() -> int:
    """Fork like multiprocessing, send SIGTERM to the child, and return the signal that ended it."""
    child = os.fork()
    if child == 0:
        time.sleep(20)
        os._exit(0)
    os.kill(child, signal.SIGTERM)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


def die(task: TaskContext) -> dict[str, Any]:
    note(task)
    if task.input.get("die"):
        os._exit(9)
    time.sleep(task.input.get("seconds", 0))
    return {"pid": os.getpid()}


def main() -> None:
    configure_logging("text")
    worker = Worker.from_env(concurrency=int(os.environ.get("CONCURRENCY", "1")))
    executor = None
    if os.environ.get("PROCESSES"):
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        context = multiprocessing.get_context("spawn")
        executor = ProcessPoolExecutor(int(os.environ["PROCESSES"]), mp_context=context)
    worker.handler("test.echo.v1", executor=executor)(die if executor else echo)
    worker.register_handlers()
    logging.getLogger("worker_process").info("ready")
    worker.run(poll_interval=0.2, heartbeat_interval=0.4)


if __name__ == "__main__":
    main()
