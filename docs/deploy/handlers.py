"""What the image runs: put your own handlers here."""

from __future__ import annotations

from chaojiyuyan_worker import TaskContext, Worker

worker = Worker.from_env()


@worker.handler("test.echo.v1")
def echo(task: TaskContext) -> dict[str, object]:
    """Give back what was sent."""
    return {"echo": task.input}
