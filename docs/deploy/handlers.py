"""The handlers that the image runs: replace them with your own."""

from __future__ import annotations

from chaojiyuyan_worker import TaskContext, Worker

worker = Worker.from_env()


@worker.handler("test.echo.v1")
def echo(task: TaskContext) -> dict[str, object]:
    """Return the input."""
    return {"echo": task.input}
