"""With faults on every worker endpoint, no job is lost, settled twice or run twice."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from support.workers import running, until

ECHO = "test.echo.v1"


def counting(worker):
    """Add an echo handler to the worker, and return the number of its runs by job."""
    runs = Counter()

    @worker.handler(ECHO)
    def echo(task):
        runs[task.job_id] += 1
        if task.input.get("seconds"):
            threading.Event().wait(task.input["seconds"])
        return task.input

    return runs


@pytest.mark.parametrize("when", ["drop-before", "drop-after"])
@pytest.mark.parametrize("endpoint", ["register", "available", "bid", "heartbeat", "submit"])
def test_a_dropped_response_loses_no_job(site, endpoint, when) -> None:
    worker = site.worker()
    runs = counting(worker)
    site.kernel.set_faults([f"{endpoint}={when}@1"])
    with running(worker):
        job_id = site.post({"seconds": 1 if endpoint == "heartbeat" else 0})
        job = site.ended(job_id)
        # A dropped response to the submit must not run the handler again.
        until(lambda: not worker.health().running_jobs)
    assert job["status"] == "succeeded"
    assert job["settlements"] == 1
    assert runs == {job_id: 1}
    # The lease of an award without a response expires, and the job is offered again.
    assert len(job["attempts"]) == (2 if (endpoint, when) == ("bid", "drop-after") else 1)


@pytest.mark.parametrize("effect", ["503", "429", "html", "junk"])
def test_a_faulty_response_of_any_endpoint_loses_no_job(calm_site, effect) -> None:
    endpoints = ("register", "available", "bid", "heartbeat", "submit")
    worker = calm_site.worker()
    runs = counting(worker)
    calm_site.kernel.set_faults([f"{endpoint}={effect}@1" for endpoint in endpoints])
    with running(worker):
        job_id = calm_site.post({"seconds": 1})
        job = calm_site.ended(job_id)
    assert job["status"] == "succeeded"
    assert job["settlements"] == 1
    assert runs == {job_id: 1}


def test_a_hanging_heartbeat_does_not_affect_other_leases(site) -> None:
    worker = site.worker(concurrency=32)
    runs = counting(worker)
    site.kernel.set_faults(["heartbeat=delay:20s@1"])
    with running(worker):
        job_ids = [site.post({"seconds": 1.5 * site.lease}) for _ in range(32)]
        jobs = [site.ended(job_id) for job_id in job_ids]
    assert {job["status"] for job in jobs} == {"succeeded"}
    assert runs == dict.fromkeys(job_ids, 1)


def test_a_clock_ten_minutes_off_does_not_matter(site) -> None:
    worker = site.worker()
    runs = counting(worker)
    site.kernel.skip(600)  # from here on the local clock is ten minutes slow
    with running(worker):
        job_id = site.post({"seconds": 1.5 * site.lease})
        job = site.ended(job_id)
    assert job["status"] == "succeeded"
    assert runs == {job_id: 1}
    assert job["attempts"][0]["heartbeats"] > 2


def test_the_worker_waits_for_a_kernel_that_is_down(site) -> None:
    worker = site.worker(concurrency=2)
    runs = counting(worker)
    site.kernel.stop()
    thread = threading.Thread(target=worker.run)
    thread.start()
    threading.Event().wait(0.5)
    site.kernel.start()
    job_id = site.post()
    assert site.ended(job_id)["status"] == "succeeded"
    assert runs == {job_id: 1}
    worker.stop()
    thread.join(10)
    assert not thread.is_alive()
