"""The metrics in the Prometheus text format."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from chaojiyuyan_worker import JobProgress, Worker
from chaojiyuyan_worker._observe.metrics import Metrics
from chaojiyuyan_worker._run.job import Outcome, Verdict
from chaojiyuyan_worker._run.runtime import Runtime
from chaojiyuyan_worker.task import TaskContext
from support.workers import ECHO, running, until

FAMILIES = {
    "chaojiyuyan_worker_jobs": "counter",
    "chaojiyuyan_worker_jobs_running": "gauge",
    "chaojiyuyan_worker_slots": "gauge",
    "chaojiyuyan_worker_poll_age_seconds": "gauge",
    "chaojiyuyan_worker_lease_margin_min_seconds": "gauge",
    "chaojiyuyan_worker_progress_ratio": "gauge",
    "chaojiyuyan_worker_heartbeat_seconds": "histogram",
    "chaojiyuyan_worker_lease_margin_seconds": "histogram",
    "chaojiyuyan_worker_handler_seconds": "histogram",
}
OUTCOMES = [
    "settled",
    "probably_settled",
    "refused",
    "lost",
    "failed",
    "given_up",
    "invalid_input",
]
TASK = TaskContext({"job_id": "job-1", "capability_key": ECHO})


class FixedLease:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def remaining(self) -> float:
        return self._seconds


def read(text: str) -> dict[tuple[str, ...], float]:
    """Each series: its name and the values of its labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(Runtime())


def render(metrics: Metrics) -> dict[tuple[str, ...], float]:
    return read(metrics.render([ECHO], slots=4, poll_age=0.5))


def test_every_series_exists_from_the_start() -> None:
    worker = Worker("nxt_ag_test_test")
    worker.handler(ECHO)(lambda task: {})
    families = text_string_to_metric_families(worker.metrics())
    assert {family.name: family.type for family in families} == FAMILIES
    series = read(worker.metrics())
    assert set(series.values()) == {0}
    outcomes = [name[2] for name in series if name[0] == "chaojiyuyan_worker_jobs_total"]
    assert outcomes == OUTCOMES


def test_jobs_count_by_capability_and_outcome(metrics) -> None:
    metrics.ended(TASK, Verdict(Outcome.SETTLED), 20.0)
    metrics.ended(TASK, Verdict(Outcome.SETTLED), 7.0)
    metrics.ended(TASK, Verdict(Outcome.LOST), -1.0)
    series = render(metrics)
    assert series["chaojiyuyan_worker_jobs_total", ECHO, "settled"] == 2
    assert series["chaojiyuyan_worker_jobs_total", ECHO, "lost"] == 1
    assert series["chaojiyuyan_worker_lease_margin_seconds_count",] == 3
    assert series["chaojiyuyan_worker_lease_margin_seconds_sum",] == 27.0
    assert series["chaojiyuyan_worker_lease_margin_seconds_bucket", "0.0"] == 1
    assert series["chaojiyuyan_worker_lease_margin_seconds_bucket", "10.0"] == 2
    assert series["chaojiyuyan_worker_lease_margin_seconds_bucket", "+Inf"] == 3


def test_gauges_show_the_running_jobs(metrics) -> None:
    other = TaskContext({"job_id": "job-2", "capability_key": ECHO})
    with metrics.job(TASK, FixedLease(12.0)), metrics.job(other, FixedLease(3.0)):
        series = render(metrics)
        assert series["chaojiyuyan_worker_jobs_running",] == 2
        assert series["chaojiyuyan_worker_lease_margin_min_seconds",] == 3.0
        assert series["chaojiyuyan_worker_slots",] == 4
        assert series["chaojiyuyan_worker_poll_age_seconds",] == 0.5
    assert render(metrics)["chaojiyuyan_worker_jobs_running",] == 0


def test_labels_are_escaped(metrics) -> None:
    key = 'a"b\\c\nd'
    series = read(metrics.render([key], slots=0, poll_age=0.0))
    assert series["chaojiyuyan_worker_jobs_total", key, "settled"] == 0


def test_a_run_is_measured(site) -> None:
    worker = site.worker(concurrency=3)
    worker.handler(ECHO)(lambda task: {"secret": task.input["text"]})
    with running(worker, heartbeat_interval=0.05):
        until(lambda: worker.health().ready)
        assert read(worker.metrics())["chaojiyuyan_worker_slots",] == 3
        for _ in range(2):
            site.ended(site.post({"text": "text of a job"}))
        settled = ("chaojiyuyan_worker_jobs_total", ECHO, "settled")
        until(lambda: read(worker.metrics())[settled] == 2)
        assert "text of a job" not in worker.metrics()
    series = read(worker.metrics())
    assert series[settled] == 2
    assert series["chaojiyuyan_worker_handler_seconds_count",] == 2
    assert series["chaojiyuyan_worker_slots",] == 0


def test_heartbeats_are_measured(site) -> None:
    worker = site.worker()

    @worker.handler(ECHO)
    def wait_for_heartbeat(task) -> dict[str, object]:
        name = ("chaojiyuyan_worker_heartbeat_seconds_count",)
        until(lambda: read(worker.metrics())[name] > 0)
        return {}

    with running(worker, heartbeat_interval=0.1):
        assert site.ended(site.post())["status"] == "succeeded"


def test_progress_is_the_mean_of_the_reported_values(metrics) -> None:
    jobs = [TaskContext({"job_id": f"job-{n}", "capability_key": ECHO}) for n in range(3)]
    lease = FixedLease(9.0)
    name = ("chaojiyuyan_worker_progress_ratio", ECHO)
    with metrics.job(jobs[0], lease), metrics.job(jobs[1], lease), metrics.job(jobs[2], lease):
        jobs[0].progress(0.25)
        jobs[1].progress(0.75, "rendering")
        assert render(metrics)[name] == 0.5
        assert [each.job_id for each in metrics.progress()] == ["job-0", "job-1"]
        assert "rendering" not in metrics.render([ECHO], slots=1, poll_age=0.0)
    assert render(metrics)[name] == 0
    assert metrics.progress() == ()


def test_health_lists_the_progress_of_each_job(site) -> None:
    worker = site.worker()
    seen = []

    @worker.handler(ECHO)
    def work(task) -> dict[str, object]:
        if task.attempt == 1:
            task.progress(0.4, "rendering")
            seen.append(worker.health().progress)
            raise RuntimeError("again")
        seen.append(worker.health().progress)
        return {}

    with running(worker):
        job_id = site.post()
        assert site.ended(job_id)["status"] == "succeeded"
        until(lambda: worker.health().running_jobs == 0)
        assert worker.health().progress == ()
    assert seen == [(JobProgress(job_id, ECHO, 0.4, "rendering"),), ()]
