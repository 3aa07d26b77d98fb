"""Handlers are tested without a network."""

from __future__ import annotations

import pytest

from chaojiyuyan_worker import SubmitValidationFailed, TaskCancelled, Worker
from chaojiyuyan_worker.testing import run, run_job


@pytest.fixture
def worker():
    return Worker("nxt_ag_test_test")


def test_run_calls_a_handler_and_returns_its_output(worker) -> None:
    @worker.handler("a")
    def double(task):
        return {"n": task.input["n"] * 2, "pair": (1, 2), "job": task.job_id}

    assert run(worker, "a", {"n": 2}) == {"n": 4, "pair": [1, 2], "job": "test-job"}


def test_run_accepts_a_coroutine_function(worker) -> None:
    @worker.handler("a")
    async def handle(task):
        return task.input

    assert run(worker, "a", {"n": 2}) == {"n": 2}


def test_run_raises_the_exception_of_the_handler(worker) -> None:
    @worker.handler("a")
    def handle(task):
        raise KeyError("n")

    with pytest.raises(KeyError, match="n"):
        run(worker, "a", {})


@pytest.mark.parametrize(
    ("output", "error"),
    [([], TypeError), ({"n": {1}}, TypeError), ({"n": float("nan")}, ValueError)],
)
def test_an_output_that_is_not_json_is_an_error(worker, output, error) -> None:
    worker.handler("a")(lambda task: output)
    with pytest.raises(error):
        run(worker, "a", {})


def test_an_unknown_capability_is_an_error(worker) -> None:
    with pytest.raises(LookupError, match="no handler for 'b'"):
        run(worker, "b", {})


def test_a_failing_handler_is_retried(worker) -> None:
    attempts = []

    @worker.handler("a")
    def handle(task):
        attempts.append(task.attempt)
        if task.attempt < 3:
            raise ValueError("not yet")
        task.attach(kind="json", artifact_uri="https://files.example/a.json")
        return {}

    done = run_job(worker, "a", {})

    assert attempts == [1, 2, 3]
    assert (done.output, done.attempts, done.error) == ({}, 3, None)
    assert done.artifacts == [{"kind": "json", "artifact_uri": "https://files.example/a.json"}]
    with pytest.raises(ValueError, match="not yet"):
        run(worker, "a", {}, max_retries=1)


def test_run_job_returns_a_failed_job(worker) -> None:
    problem = ValueError("broken")

    @worker.handler("a")
    def handle(task):
        raise problem

    done = run_job(worker, "a", {}, max_retries=0)

    assert done.error is problem
    assert (done.output, done.attempts, done.artifacts) == (None, 1, [])


def test_a_refused_output_is_retried(worker) -> None:
    @worker.handler("a")
    def handle(task):
        return {"n": task.attempt, "why": task.validation_errors}

    def refuse(output):
        return [] if output["n"] == 2 else ["n is not 2"]

    assert run(worker, "a", {}, refuse=refuse) == {"n": 2, "why": ["n is not 2"]}
    with pytest.raises(SubmitValidationFailed, match="never"):
        run(worker, "a", {}, refuse=lambda output: ["never"])


def test_a_timeout_is_a_timeout_error(worker) -> None:
    @worker.handler("a", timeout=0.05)
    async def handle(task):
        import asyncio

        await asyncio.sleep(60)

    with pytest.raises(TimeoutError, match="longer than its timeout"):
        run(worker, "a", {})


def test_cancel_after_loses_the_lease(worker) -> None:
    @worker.handler("a")
    async def handle(task):
        import asyncio

        await asyncio.sleep(60)

    with pytest.raises(TaskCancelled):
        run(worker, "a", {}, cancel_after=0.05)
