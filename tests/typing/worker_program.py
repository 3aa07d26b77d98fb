"""A program with a worker. It is checked, not run; see ``program.py``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from typing_extensions import assert_type

from chaojiyuyan_worker import InvalidInput, TaskContext, Worker, lifespan_initializer
from chaojiyuyan_worker.testing import JobRun, run, run_job

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

worker = Worker("nxt_ag_key")


@dataclass
class Text:
    text: str


class Count(TypedDict):
    words: int


@worker.handler("text.a.v1")
def takes_task(task: TaskContext) -> dict[str, object]:
    return {"id": task.job_id, "state": task.state}


@worker.handler("text.b.v1")
def takes_data(data: Text) -> Count:
    return {"words": len(data.text)}


@worker.handler("text.c.v1", input=Text, output=Text, timeout=3)
async def takes_both(data: Text, task: TaskContext) -> Text:
    if task.attempt > 1:
        raise InvalidInput("no", path="text")
    return data


@worker.handler("d")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType,reportUntypedFunctionDecorator]
def takes_nothing() -> dict[str, object]:
    return {}


@worker.handler("e")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType,reportUntypedFunctionDecorator]
def returns_a_number(task: TaskContext) -> int:
    return task.attempt


assert_type(takes_data(Text("a")), Count)
keeps_its_type: Callable[[Text], Count] = takes_data


@worker.lifespan
def open_files() -> Iterator[str]:
    yield "open"


@worker.lifespan
async def open_connections(of: Worker) -> AsyncIterator[str]:
    yield of.base_url


print(lifespan_initializer("module:worker"), run(worker, "text.a.v1", {})["id"])
assert_type(run_job(worker, "text.a.v1", {}, refuse=lambda output: []), JobRun)
