"""Handlers on a Dask cluster with a scheduler and two nodes in separate processes."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chaojiyuyan_core.errors import NonRetryableError
from chaojiyuyan_worker import TaskContext
from chaojiyuyan_worker._run.cluster import RemoteError
from chaojiyuyan_worker._run.execution import Execution
from chaojiyuyan_worker._run.handlers import Handler
from chaojiyuyan_worker._run.runtime import Runtime
from support.workers import ECHO, running, until

distributed = pytest.importorskip("distributed")

TESTS = Path(__file__).resolve().parents[1]
EXAMPLES = TESTS.parent / "examples"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


class Unpicklable(NonRetryableError):
    def __reduce__(self):
        raise TypeError("not for other processes")


def fail(task: TaskContext) -> dict[str, object]:
    raise {"plain": KeyError("k"), "text": Unpicklable("lock"), "exit": SystemExit(3)}[
        task.input["kind"]
    ]


def wait_for_cancel(task: TaskContext) -> dict[str, object]:
    task.log.info("waiting", extra={"order": 7})
    end = time.monotonic() + 20
    while not task.cancelled and time.monotonic() < end:
        time.sleep(0.01)
    task.raise_if_cancelled()
    return {}


async def sleep(task: TaskContext) -> dict[str, object]:
    task.log.info("waiting")
    await asyncio.sleep(20)
    return {}


class Nodes:
    """A scheduler and two nodes."""

    def __init__(self, folder: Path) -> None:
        folders = [str(TESTS), str(TESTS.parent), str(EXAMPLES)]
        path = os.pathsep.join([*folders, os.environ.get("PYTHONPATH", "")])
        self._environment = {**os.environ, "PYTHONPATH": path}
        self._folder = folder
        self._file = folder / "scheduler.json"
        self.processes = [self._start("dask_scheduler", "--port", "0", "--no-dashboard")]
        self.processes += [
            self._start("dask_worker", "--no-nanny", "--no-dashboard", "--nthreads", "4")
            for _ in range(2)
        ]
        until(self._file.exists, 60)
        self.client = distributed.Client(scheduler_file=str(self._file), timeout=60)
        self.client.wait_for_workers(2, timeout=60)

    def _start(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        module = f"distributed.cli.{program}"
        command = [sys.executable, "-m", module, "--scheduler-file", str(self._file), *arguments]
        with (self._folder / f"{program}.log").open("ab") as output:
            return subprocess.Popen(
                command, env=self._environment, cwd=self._folder, stdout=output, stderr=output
            )

    def close(self) -> None:
        self.client.close()
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    made = Nodes(tmp_path_factory.mktemp("cluster"))
    yield made
    made.close()


@pytest.fixture
def run(nodes):
    """Run a handler on the cluster with a given task."""
    execution = Execution(Runtime(), nodes.client.get_executor())
    yield lambda function, task: execution.run(Handler(ECHO, function), task)
    execution.close()


def task_of(**payload: object) -> TaskContext:
    data = {"job_id": "job-1", "capability_key": ECHO, "input_envelope": payload}
    return TaskContext(data, task_run_id="run-1")


@pytest.mark.parametrize(
    ("kind", "error", "text"),
    [
        ("plain", KeyError, "k"),
        ("text", NonRetryableError, "Unpicklable: lock"),
        ("exit", SystemExit, "3"),
    ],
)
def test_an_exception_crosses_the_cluster(run, kind, error, text) -> None:
    with pytest.raises(error, match=text) as caught:
        run(fail, task_of(kind=kind))
    assert "in fail" in str(caught.value.__cause__)
    assert not isinstance(caught.value, RemoteError)


@pytest.mark.parametrize("function", [wait_for_cancel, sleep])
def test_log_lines_and_a_cancellation_cross_the_cluster(run, function, caplog) -> None:
    task = task_of()
    with caplog.at_level(logging.INFO, "chaojiyuyan_worker.task"):
        runtime, raised = Runtime(), []

        def serve() -> None:
            try:
                run(function, task)
            except Exception as error:
                raised.append(error)

        runtime.start(serve, name="test")
        until(lambda: any(record.message == "waiting" for record in caplog.records))
        task.cancel("the lease was lost")
        until(lambda: raised, 10)
    (record,) = (record for record in caplog.records if record.message == "waiting")
    assert (record.job_id, record.task_run_id) == ("job-1", "run-1")
    assert type(raised[0]).__name__ in ("TaskCancelled", "CancelledError")


def test_every_job_settles_once_when_a_node_is_killed(calm_site, nodes, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import cluster_worker

    site = calm_site
    worker = site.worker(concurrency=16, executor=nodes.client.get_executor())
    worker.handler(ECHO, timeout=300)(cluster_worker.work)
    with running(worker):
        jobs = [site.post({"n": n, "steps": 20}) for n in range(8)]
        until(lambda: len(worker.metrics().split("jobs_running 8")) == 2)
        nodes.processes[-1].kill()
        outputs = [site.ended(job_id, 60) for job_id in jobs]
    assert [job["output_envelope"] for job in outputs] == [{"n": n} for n in range(8)]
    # On a slow machine the answer to a submit may come too late; then it is "probably settled".
    found = re.findall(r'jobs_total{.*outcome="(?:probably_)?settled"} (\d+)', worker.metrics())
    assert sum(map(int, found)) == 8
