"""The soak test's worker: each job sleeps as its input says, sometimes longer than a lease."""

from __future__ import annotations

import logging
import time

from chaojiyuyan_worker import TaskContext, Worker

logging.basicConfig(level=logging.WARNING)  # a million lines about success are not useful
worker = Worker.from_env(concurrency=32)


@worker.handler("test.echo.v1")
def work(task: TaskContext) -> dict[str, object]:
    """Sleep, and return the input."""
    time.sleep(task.input["seconds"])
    return task.input


worker.run(poll_interval=0.5, heartbeat_interval=1)
