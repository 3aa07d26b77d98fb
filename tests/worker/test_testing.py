"""Handlers under test, with no network."""

from __future__ import annotations

import pytest

from chaojiyuyan_worker import Worker
from chaojiyuyan_worker.testing import run


@pytest.fixture
def worker():
    return Worker("nxt_ag_test_test")


def test_it_runs_a_handler_and_returns_its_output(worker) -> None:
    @worker.handler("a")
    def double(task):
        return {"n": task.input["n"] * 2, "pair": (1, 2), "job": task.job_id}

    assert run(worker, "a", {"n": 2}) == {"n": 4, "pair": [1, 2], "job": "test-job"}


def test_it_runs_a_coroutine_function(worker) -> None:
    @worker.handler("a")
    async def handle(task):
        return task.input

    assert run(worker, "a", {"n": 2}) == {"n": 2}


def test_it_raises_what_the_handler_raises(worker) -> None:
    @worker.handler("a")
    def handle(task):
        raise KeyError("n")

    with pytest.raises(KeyError, match="n"):
        run(worker, "a", {})


@pytest.mark.parametrize(
    ("output", "error"),
    [([], TypeError), ({"n": {1}}, TypeError), ({"n": float("nan")}, ValueError)],
)
def test_an_output_that_no_submit_can_carry_is_an_error(worker, output, error) -> None:
    worker.handler("a")(lambda task: output)
    with pytest.raises(error):
        run(worker, "a", {})


def test_an_unknown_capability_is_an_error(worker) -> None:
    with pytest.raises(LookupError, match="no handler for 'b'"):
        run(worker, "b", {})
