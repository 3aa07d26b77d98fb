"""Handlers with a typed input."""

from __future__ import annotations

import functools
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from chaojiyuyan_worker import InvalidInput, NonRetryableError, TaskContext, Worker
from chaojiyuyan_worker.testing import run

if TYPE_CHECKING:
    from somewhere import Unknown  # type: ignore[import-not-found]

KEY = "test.echo.v1"


@dataclass
class Text:
    text: str


@dataclass
class Count:
    words: int


def count(data: Text) -> Count:
    return Count(len(data.text.split()))


def no_parameter() -> dict[str, object]:
    return {}


@pytest.fixture
def worker() -> Worker:
    return Worker("nxt_ag_test", "http://127.0.0.1:1/api/v1")


def test_data_has_its_type_and_output_becomes_json(worker: Worker) -> None:
    assert worker.handler(KEY)(count) is count

    assert run(worker, KEY, {"text": "one two"}) == {"words": 2}


@pytest.mark.parametrize("arity", ["(task)", "(data, task)", "untyped", "unresolved task"])
def test_the_task_is_passed_on_request(worker: Worker, arity: str) -> None:
    def takes_task(task: TaskContext) -> dict[str, object]:
        return {"id": task.job_id, "in": task.input}

    def takes_both(data: dict, task: TaskContext) -> dict[str, object]:  # type: ignore[type-arg]
        return {"id": task.job_id, "in": data}

    def takes_any(task):  # type: ignore[no-untyped-def]
        return {"id": task.job_id, "in": task.input}

    def takes_unresolved(task: Unknown) -> Any:
        return {"id": task.job_id, "in": task.input}

    handlers = dict(
        zip(
            ["(task)", "(data, task)", "untyped", "unresolved task"],
            [takes_task, takes_both, takes_any, takes_unresolved],
            strict=True,
        )
    )
    worker.handler(KEY)(handlers[arity])

    assert run(worker, KEY, {"n": 1}) == {"id": "test-job", "in": {"n": 1}}


def test_async_handlers_can_be_typed(worker: Worker) -> None:
    @worker.handler(KEY)
    async def shout(data: Text, task: TaskContext) -> dict[str, object]:
        return {"text": data.text.upper(), "attempt": task.attempt}

    assert run(worker, KEY, {"text": "a"}) == {"text": "A", "attempt": 1}


def test_the_input_is_read_once_for_each_run(worker: Worker) -> None:
    made: list[object] = []
    seen: list[object] = []

    @dataclass
    class Items:
        items: list[int]

        def __post_init__(self) -> None:
            made.append(self)

    def drain(data: Items) -> dict[str, object]:
        seen.append(data)
        if data.items.pop() and len(seen) < 3:
            raise ValueError("not yet")
        return {"left": data.items}

    worker.handler(KEY, input=Items)(drain)
    assert run(worker, KEY, {"items": [1, 2]}) == {"left": [1]}
    assert len(seen) == len(made) == 3
    assert len({id(each) for each in seen}) == 3


def test_a_process_pool_reads_the_input_over_there(worker: Worker) -> None:
    with ProcessPoolExecutor(1) as pool:
        worker.handler(KEY, executor=pool)(count)

        assert run(worker, KEY, {"text": "one two three"}) == {"words": 3}


def test_an_invalid_input_does_not_run_the_handler(worker: Worker) -> None:
    begun: list[object] = []
    worker.handler(KEY, input=Text)(lambda data: begun.append(data) or {})

    with pytest.raises(InvalidInput, match=r"^text: expected a string, not an integer$") as caught:
        run(worker, KEY, {"text": 3})

    assert isinstance(caught.value, NonRetryableError)
    assert caught.value.path == "text"
    assert begun == []


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (no_parameter, "it has no positional parameter"),
        (lambda a, b, c: {}, "more than two required parameters"),
        (lambda task, *, mode: {}, "keyword-only parameter 'mode' has no default"),
    ],
)
def test_a_wrong_signature_is_refused_at_once(worker: Worker, function: Any, message: str) -> None:
    with pytest.raises(TypeError, match=f"{KEY}.*{message}"):
        worker.handler(KEY)(function)


def test_an_unsupported_or_unknown_type_is_refused_at_once(worker: Worker) -> None:
    def takes_set(data: set[str]) -> dict[str, object]:
        return {}

    def takes_unknown(data: Unknown) -> dict[str, object]:
        return {}

    with pytest.raises(TypeError, match=f"{KEY}.*cannot be read from JSON"):
        worker.handler(KEY)(takes_set)
    with pytest.raises(TypeError, match=f"{KEY}.*'Unknown'.*TYPE_CHECKING"):
        worker.handler(KEY)(takes_unknown)


def test_every_kind_of_callable_is_accepted(worker: Worker) -> None:
    class Shouter:
        def __call__(self, data: Text) -> dict[str, object]:
            return {"text": data.text.upper()}

        def method(self, data: Text) -> dict[str, object]:
            return {"text": data.text.upper()}

    def suffixed(suffix: str, data: Text) -> dict[str, object]:
        return {"text": data.text.upper() + suffix}

    def anything(*arguments: Any) -> dict[str, object]:
        return {"text": arguments[0].input["text"].upper()}

    for function in (Shouter(), Shouter().method, functools.partial(suffixed, ""), anything):
        worker.handler(KEY)(function)

        assert run(worker, KEY, {"text": "a"}) == {"text": "A"}
