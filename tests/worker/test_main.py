"""What a container runs: the command line, probes and logs."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from chaojiyuyan_worker import ExecutorBroken
from chaojiyuyan_worker.__main__ import main
from chaojiyuyan_worker._observe.health import STALLED_SECONDS, Health
from chaojiyuyan_worker._observe.probes import HealthServer
from support.workers import running, until

MODULE = """
from chaojiyuyan_worker import Worker
worker = Worker.from_env()
nothing = 7

@worker.handler("test.echo.v1")
def echo(task):
    task.log.info("at work, concurrency %d", worker.concurrency)
    return task.input
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "my_jobs.py").write_text(MODULE)
    return tmp_path


def bare_environment(site) -> dict[str, str]:
    """As in a container: no HOME, nothing but the key and the URL."""
    return {
        "PATH": os.environ["PATH"],
        "CHAOJIYUYAN_API_KEY": site.kernel.api_key,
        "HEBING_BASE_URL": site.kernel.base_url,
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    }


SETTLED = 'chaojiyuyan_worker_jobs_total{capability_key="test.echo.v1",outcome="settled"}'


def read_metrics(url: str) -> dict[str, float]:
    answer = httpx.get(f"{url}/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    series = (line.rpartition(" ") for line in answer.text.splitlines() if line[0] != "#")
    return {name: float(value) for name, _, value in series}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "chaojiyuyan_worker", *arguments]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_container_runs_the_worker(site, folder) -> None:
    log = folder / "log"
    arguments = ["my_jobs:worker", "--concurrency", "2", "--health-port", "0"]
    with log.open("w") as stderr:
        process = subprocess.Popen(
            command(*arguments, "--log-format", "json"),
            cwd=folder,
            env=bare_environment(site),
            stderr=stderr,
        )
    try:

        def lines() -> list[dict]:
            return [json.loads(line) for line in log.read_text().splitlines()]

        port = until(
            lambda: next((line["port"] for line in lines() if "port" in line), process.poll())
        )
        url = f"http://127.0.0.1:{port}"
        until(lambda: httpx.get(f"{url}/readyz").status_code == 200)
        assert httpx.get(f"{url}/livez").json()["live"] is True
        assert httpx.get(f"{url}/other").status_code == 404
        assert read_metrics(url)[SETTLED] == 0
        job_id = site.post({"n": 1})
        assert site.ended(job_id)["status"] == "succeeded"
        until(lambda: read_metrics(url)[SETTLED] == 1)
        assert read_metrics(url)["chaojiyuyan_worker_slots"] == 2
        process.terminate()
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
    at_work = next(line for line in lines() if line["message"] == "at work, concurrency 2")
    assert at_work["job_id"] == job_id
    assert at_work["capability_key"] == "test.echo.v1"
    assert at_work["task_run_id"]
    assert site.kernel.api_key not in log.read_text()


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("my_jobs", "expected module:worker"),
        ("my_jobs:nothing", "is of the type int; my_jobs has my_jobs:worker"),
        ("my_jobs:absent", "is missing; my_jobs has my_jobs:worker"),
        ("no_such_module:worker", "no_such_module"),
    ],
)
def test_a_missing_worker_gives_one_line_and_exit_code_1(folder, monkeypatch, capsys, place, why):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("CHAOJIYUYAN_API_KEY", "nxt_ag_test_test")
    before = logging.getLogger().handlers[:]
    try:
        assert main([place]) == 1
    finally:
        logging.getLogger().handlers[:] = before
        sys.modules.pop("my_jobs", None)
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1
    assert why in told[0]


def test_a_rejected_key_gives_one_line_and_exit_code_1(site, folder) -> None:
    environment = {**bare_environment(site), "CHAOJIYUYAN_API_KEY": "nxt_ag_nobody_nobody"}
    ended = subprocess.run(
        command("my_jobs:worker"), cwd=folder, env=environment, capture_output=True, text=True
    )
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "AuthenticationError" in ended.stderr


def test_probes_return_the_problems() -> None:
    now = [Health(live=True, ready=False, draining=True, running_jobs=3)]
    server = HealthServer(lambda: now[0], lambda: "", 0)
    try:
        url = f"http://127.0.0.1:{server.port}"
        assert httpx.get(f"{url}/livez").status_code == 200
        answer = httpx.get(f"{url}/readyz")
        assert answer.status_code == 503
        assert answer.json() == {
            "live": True,
            "ready": False,
            "draining": True,
            "running_jobs": 3,
            "problems": [],
            "progress": [],
        }
        now[0] = Health(live=False, ready=True, draining=False, running_jobs=0)
        assert httpx.get(f"{url}/livez").status_code == 503
    finally:
        server.close()


def test_a_poll_that_no_longer_advances_is_not_live(site) -> None:
    worker = site.worker()
    worker.handler("test.echo.v1")(lambda task: {})
    assert worker.health() == Health(live=True, ready=False, draining=False, running_jobs=0)
    with running(worker):
        until(lambda: worker.health().ready)
        polling = worker._run._polling
        until(lambda: polling.advanced_at)
        polling.advanced_at -= STALLED_SECONDS + 1
        assert not worker.health().live
        polling.advanced_at += STALLED_SECONDS + 1


def test_a_draining_worker_is_live_but_not_ready(site) -> None:
    worker = site.worker(concurrency=2)
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    finish = threading.Event()
    worker.handler("test.echo.v1")(lambda task: {"finished": finish.wait(20)})
    worker.handler("media.echo.v1", executor=pool)(lambda task: {})
    with pytest.raises(ExecutorBroken), running(worker):
        job_id = site.post()
        until(lambda: site.job(job_id)["status"] == "running")
        site.post(key="media.echo.v1")
        until(lambda: worker.health().draining)
        worker._run._polling.advanced_at -= STALLED_SECONDS + 1
        assert worker.health() == Health(live=True, ready=False, draining=True, running_jobs=1)
        finish.set()
        assert site.ended(job_id)["status"] == "succeeded"
