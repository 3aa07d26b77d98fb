"""The handlers of a simulation, and the checks of their runs."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaojiyuyan_worker import TaskContext

    from .runtime import SimRuntime
    from .scheduler import Process, Scheduler


class CheckTask(Protocol):
    """Checks the handlers."""

    def __call__(self, task: TaskContext, *, begins: bool) -> object:
        """Check a task whose handler begins or ends."""


KINDS = ("quick", "short", "long", "stubborn", "flaky", "invalid", "async", "executor")
"""The kinds of work."""

MAX_WORK = 60.0
"""Maximum seconds that a handler runs."""


class Work:
    """The handlers of one process, with checks.

    Args:
        scheduler: The scheduler, for the time.
        process: The process of the handlers.
        runtime: The runtime, for sleeping.
        seed: The seed of their random numbers.
        calm_at: Virtual time from which no handler fails.
        check: Called with each task, when its handler begins and when it ends.

    Attributes:
        running: The jobs with a running handler, and since when.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        process: Process,
        runtime: SimRuntime,
        seed: str,
        calm_at: float,
        check: CheckTask,
    ) -> None:
        self._scheduler = scheduler
        self._process = process
        self._runtime = runtime
        self._random = Random(f"work {seed}")
        self._calm_at = calm_at
        self._check = check
        self._begun: set[tuple[str, int]] = set()
        self.running: dict[str, float] = {}

    def function(self, kind: str) -> Callable[[TaskContext], Any]:
        """Return the handler of a kind of work."""
        if kind == "async":
            return self._handle_async
        return lambda task: self._handle(kind, task)

    def _begin(self, task: TaskContext) -> None:
        run = task.task_run_id or ""
        self._scheduler.note(f"handler begins {task.job_id} {run} attempt {task.attempt}")
        self._check(task, begins=True)
        problem = ""
        if task.job_id in self.running:
            problem = f"two handlers of {task.job_id} at once"
        elif (run, task.attempt) in self._begun:
            problem = f"attempt {task.attempt} of {run} ran twice"
        if problem:
            self._scheduler.violate(f"{self._process.name}: {problem}")
        self._begun.add((run, task.attempt))
        self.running[task.job_id] = self._scheduler.now

    def _end(self, task: TaskContext) -> None:
        self._scheduler.note(f"handler ends {task.job_id}")
        self._check(task, begins=False)
        self.running.pop(task.job_id, None)

    def _handle(self, kind: str, task: TaskContext) -> dict[str, object]:
        self._begin(task)
        try:
            self._spend(kind, task)
            return self._output(kind, task)
        finally:
            self._end(task)

    def _spend(self, kind: str, task: TaskContext) -> None:
        seconds = {"quick": 0.0, "long": MAX_WORK, "stubborn": 50.0}.get(
            kind, 5.0
        ) * self._random.random()
        while seconds > 0:
            if kind == "long":
                task.raise_if_cancelled()
            piece = min(seconds, 1.0)
            self._runtime.sleep(piece)
            seconds -= piece

    def _output(self, kind: str, task: TaskContext) -> dict[str, object]:
        troubled = self._scheduler.now < self._calm_at
        if kind == "flaky" and troubled and self._random.random() < 0.5:
            raise ValueError("this handler fails at times")
        if kind == "invalid" and troubled and self._random.random() < 0.5:
            return {"invalid": True}
        return {"done": task.job_id}

    async def _handle_async(self, task: TaskContext) -> dict[str, object]:
        self._begin(task)
        try:
            await asyncio.sleep(self._random.random() * 20.0)
            return self._output("async", task)
        finally:
            self._end(task)
