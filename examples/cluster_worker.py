"""A worker whose handler runs on a Dask cluster.

Start a scheduler and nodes with ``dask scheduler`` and ``dask worker tcp://host:8786``, on machines
that can import this module. Then run ``python cluster_worker.py tcp://host:8786``.
"""

from __future__ import annotations

import sys
import time

from chaojiyuyan_worker import TaskContext, Worker, configure_logging


def work(task: TaskContext) -> dict[str, object]:
    """Do something that takes a while, and stop when the result is no longer needed."""
    task.log.info("running on the cluster")
    for _ in range(task.input.get("steps", 10)):
        task.raise_if_cancelled()
        time.sleep(0.1)
    return {"n": task.input.get("n")}


def main(scheduler: str) -> None:
    """Run the worker.

    Args:
        scheduler: The address of Dask's scheduler.
    """
    from distributed import Client

    configure_logging("text")
    with Client(scheduler) as client:
        worker = Worker.from_env(concurrency=16, executor=client.get_executor())
        worker.handler("test.echo.v1", timeout=300)(work)
        worker.run()


if __name__ == "__main__":
    main(sys.argv[1])
