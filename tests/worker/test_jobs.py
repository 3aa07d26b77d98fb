"""Jobs run and are submitted with the local kernel."""

from __future__ import annotations

import pytest

from chaojiyuyan_core.errors import NonRetryableError
from support.workers import running, until

ECHO = "test.echo.v1"
DIGEST = "text.digest.v1"
GOOD = {"lines": 1, "words": 1, "bytes": 1, "sha256": "0" * 64}


def test_a_handler_that_raises_is_retried(site) -> None:
    worker = site.worker()
    attempts = []

    @worker.handler(ECHO)
    def echo(task):
        attempts.append(task.attempt)
        task.attach(kind="json", artifact_uri="file:///x")
        if task.attempt < 3:
            raise ValueError("not yet")
        return {}

    with running(worker):
        job = site.ended(site.post())
    assert attempts == [1, 2, 3]
    assert job["status"] == "succeeded"
    assert len(job["artifacts"]) == 1  # without those of earlier attempts


def test_a_job_of_a_failing_handler_is_left_to_others(site, caplog) -> None:
    worker = site.worker()
    runs = []

    @worker.handler(ECHO)
    def echo(task):
        runs.append(task.task_run_id)
        raise ValueError("never")

    with running(worker, max_retries=1):
        job_id = site.post()
        until(lambda: len(runs) == 2)
        until(lambda: "failed: ValueError: never" in caplog.text)
    assert site.job(job_id)["settlements"] == 0
    assert len(set(runs)) == 1


def test_a_refused_output_reruns_the_handler_with_its_errors(site) -> None:
    worker = site.worker()
    told = []

    @worker.handler(DIGEST)
    def digest(task):
        told.append((task.attempt, task.validation_errors))
        return GOOD if task.validation_errors else {"lines": -1}

    with running(worker):
        job = site.ended(site.post({"text": "x"}, key=DIGEST))
    assert job["status"] == "succeeded"
    assert told[0] == (1, [])
    assert told[1][0] == 2
    assert told[1][1]


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ("text", "str instead of a dict"),
        (None, "NoneType instead of a dict"),
        ({"n": float("nan")}, "not JSON"),
        ({"n": {1, 2}}, "not JSON"),
        ({"n": "\ud800"}, "not JSON"),
    ],
)
def test_an_output_that_is_not_json_gives_up_the_job(site, caplog, output, why) -> None:
    worker = site.worker()
    runs = []

    @worker.handler(ECHO)
    def echo(task):
        runs.append(task.job_id)
        return {} if task.input.get("good") else output

    with running(worker):
        site.post()
        until(lambda: why in caplog.text)
        assert site.ended(site.post({"good": True}))["status"] == "succeeded"


def test_a_non_retryable_error_gives_up_the_job_at_once(site, caplog) -> None:
    worker = site.worker()
    attempts = []

    @worker.handler(ECHO)
    def echo(task):
        attempts.append(task.attempt)
        raise NonRetryableError("no such picture")

    with running(worker):
        site.post()
        until(lambda: "given up: no such picture" in caplog.text)
    assert set(attempts) == {1}


def test_after_a_lost_lease_the_result_is_not_submitted(site, caplog) -> None:
    worker = site.worker()
    seen = []

    @worker.handler(ECHO)
    def echo(task):
        if not seen:
            site.kernel.expire_lease(task.job_id)
            until(lambda: task.cancelled)
            seen.append(task.task_run_id)
            task.raise_if_cancelled()
        return {"run": task.task_run_id}

    with running(worker):
        job = site.ended(site.post())
    assert job["output_envelope"]["run"] != seen[0]
    assert job["settlements"] == 1
    assert "lost: the platform has re-routed" in caplog.text


def test_once_runs_the_jobs_of_one_poll(site) -> None:
    worker = site.worker()
    runs = []

    @worker.handler(ECHO)
    def echo(task):
        runs.append(task.job_id)
        return {}

    worker.register_handlers()
    jobs = [site.post() for _ in range(3)]
    worker.run(once=True)
    assert runs == jobs
    worker.run(once=True)
    jobs.append(site.post())
    worker.run(once=True)
    assert runs == jobs
    worker.close()


def test_a_handler_may_stop_its_worker(site) -> None:
    worker = site.worker(concurrency=2)

    @worker.handler(ECHO)
    def echo(task):
        worker.stop()
        return {}

    worker.register_handlers()
    job_id = site.post()
    worker.run()
    assert site.job(job_id)["status"] == "succeeded"
    worker.stop()  # does nothing when it is not running


@pytest.mark.parametrize("concurrency", [1, 2])
def test_jobs_are_abandoned_after_the_shutdown_timeout(site, concurrency) -> None:
    from chaojiyuyan_core.errors import WorkerError

    worker = site.worker(concurrency=concurrency, graceful_shutdown_timeout=0.2)
    ended = []

    @worker.handler(ECHO)
    def echo(task):
        worker.stop()
        until(lambda: task.cancelled)
        ended.append(task.job_id)
        return {}

    worker.register_handlers()
    job_id = site.post()
    with pytest.raises(WorkerError, match=job_id):
        worker.run()
    assert site.job(job_id)["settlements"] == 0


def test_a_base_exception_of_a_handler_ends_the_worker(site) -> None:
    worker = site.worker(concurrency=2)

    @worker.handler(ECHO)
    def echo(task):
        raise SystemExit(3)

    worker.register_handlers()
    site.post()
    with pytest.raises(SystemExit):
        worker.run()


def test_a_lost_bid_is_not_repeated(site) -> None:
    rival = site.worker()
    worker = site.worker()
    worker.register_handlers(ECHO)
    runs = []
    worker.handler(ECHO)(lambda task: runs.append(task.job_id) or {})
    original = site.post()
    offered = worker.available()
    assert [row["job_id"] for row in offered] == [original]
    rival.bid(original)
    with running(worker):
        assert site.ended(site.post())["status"] == "succeeded"
    assert original not in runs[:1]
