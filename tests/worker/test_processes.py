"""Real worker processes are stopped, killed and frozen during a job."""

from __future__ import annotations

import ctypes
import signal
import sys
import time
from pathlib import Path

import pytest

from support.workers import until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


def started(site, count: int = 1) -> None:
    until(lambda: len(site.runs()) >= count)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_drains(site, signum: signal.Signals) -> None:
    process = site.start()
    job_id = site.post({"seconds": 1.5 * site.lease})
    started(site)
    process.send_signal(signum)
    waiting = site.post()
    assert process.wait(20) == 0
    job = site.job(job_id)
    assert job["status"] == "succeeded"
    assert job["settlements"] == 1
    assert job["attempts"][0]["heartbeats"] > 2
    assert [run for run, _ in site.runs()] == [job_id]
    assert site.job(waiting)["status"] == "bidding"


def test_an_idle_worker_stops_at_once(site) -> None:
    taken = []
    while not taken or min(taken) >= 0.5:  # on a busy machine, at least one stop must be fast
        assert len(taken) < 3, taken
        process = site.start()
        time.sleep(1)  # it is in a long-poll that lasts longer than this test
        begun = time.monotonic()
        process.terminate()
        assert process.wait(10) == 0
        taken.append(time.monotonic() - begun)


@pytest.mark.skipif(sys.platform != "linux", reason="tgkill")
def test_a_signal_on_another_thread_drains(site) -> None:
    process = site.start()
    until(lambda: "registered" in site.log())
    threads = {int(task.name) for task in Path(f"/proc/{process.pid}/task").iterdir()}
    ctypes.CDLL(None).tgkill(process.pid, max(threads - {process.pid}), signal.SIGTERM)
    assert process.wait(10) == 0


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_stops_the_worker(site, signum: signal.Signals) -> None:
    process = site.start()
    site.post({"seconds": 30})
    started(site)
    process.send_signal(signum)
    until(lambda: "received: finishing the running jobs" in site.log())
    process.send_signal(signum)
    assert process.wait(5) == 128 + signum


def test_another_worker_completes_a_killed_workers_job(site) -> None:
    first = site.start()
    job_id = site.post({"seconds": 1})
    started(site)
    first.kill()
    killed = time.monotonic()
    second = site.start()
    job = site.ended(job_id)
    assert time.monotonic() - killed < site.lease + 5
    assert job["status"] == "succeeded"
    assert job["settlements"] == 1
    assert job["output_envelope"]["pid"] == second.pid


def test_a_frozen_worker_does_not_disturb_the_next_holder(site) -> None:
    first = site.start()
    job_id = site.post({"seconds": 2 * site.lease})
    started(site)
    first.send_signal(signal.SIGSTOP)
    second = site.start()
    started(site, 2)
    first.send_signal(signal.SIGCONT)
    job = site.ended(job_id)
    assert job["settlements"] == 1
    assert job["output_envelope"] == {"pid": second.pid, "late": False}
    assert len(job["attempts"]) == 2
    until(lambda: "lost: " in site.log(0))
    assert "the process was stopped" in site.log(0)
    # It has given up the job, but its handler still runs.
    second.terminate()
    second.wait(10)
    assert site.ended(site.post())["output_envelope"]["pid"] == first.pid


def test_a_restart_of_the_kernel_during_a_job_loses_nothing(site) -> None:
    process = site.start()
    job_id = site.post({"seconds": 1.5})
    started(site)
    site.kernel.kill()
    site.kernel.start()
    # The lease may have expired while the kernel was down. Then the job runs again.
    job = site.ended(job_id)
    assert job["status"] == "succeeded"
    assert job["settlements"] == 1
    assert site.ended(site.post())["status"] == "succeeded"
    process.terminate()
    assert process.wait(10) == 0


def test_three_workers_race_and_nothing_runs_twice(site) -> None:
    processes = [site.start(CONCURRENCY="8") for _ in range(3)]
    job_ids = [site.post({"seconds": 0.05}) for _ in range(300)]
    until(lambda: len(site.runs()) >= 300, 60)
    for process in processes:
        process.terminate()
    assert [process.wait(20) for process in processes] == [0, 0, 0]
    assert sorted(job_id for job_id, _ in site.runs()) == sorted(job_ids)
    assert all(site.job(job_id)["settlements"] == 1 for job_id in job_ids)
    assert len({pid for _, pid in site.runs()}) == 3


def test_a_handler_that_holds_the_gil_keeps_its_lease(site) -> None:
    site.start()
    job = site.ended(site.post({"seconds": 2 * site.lease, "hog": True}))
    assert job["status"] == "succeeded"
    assert len(site.runs()) == 1
    assert job["attempts"][0]["heartbeats"] > 2


def test_handlers_run_in_processes(site) -> None:
    process = site.start(PROCESSES="2", CONCURRENCY="2")
    jobs = [site.ended(site.post({"seconds": 0.1})) for _ in range(2)]
    assert all(job["output_envelope"]["pid"] != process.pid for job in jobs)
    process.terminate()
    assert process.wait(20) == 0


def test_a_dead_process_of_a_pool_ends_the_worker(site) -> None:
    process = site.start(PROCESSES="2", CONCURRENCY="2")
    site.post({"die": True})
    started(site)
    assert process.wait(20) == 1
    assert "ExecutorBroken" in site.log()


def test_a_forked_process_handles_signals_normally(site) -> None:
    process = site.start()
    job = site.ended(site.post({"fork": True}))
    assert job["output_envelope"] == {"ended_by": signal.SIGTERM}
    process.terminate()  # the parent still handles its own signals
    assert process.wait(20) == 0
    assert "SIGTERM received: finishing the running jobs" in site.log()
