"""Handlers on threads, on an event loop, in processes, and on a Dask cluster."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest

from chaojiyuyan_worker import ExecutorBroken, TaskContext, Worker
from chaojiyuyan_worker._run.execution import Execution, run_elsewhere
from chaojiyuyan_worker._run.handlers import Handler
from chaojiyuyan_worker._run.runtime import Runtime
from support.workers import running, until

ECHO = "test.echo.v1"
MEDIA = "media.echo.v1"


def task_of(**envelope) -> TaskContext:
    data = {"job_id": "job-1", "capability_key": ECHO, "input_envelope": envelope}
    return TaskContext(data, task_run_id="run-1", lease_expires_at="2030-01-01T00:00:00Z")


def in_a_process(task: TaskContext) -> dict[str, object]:
    task.attach(kind="json", artifact_uri="file:///x", size_bytes=1)
    return {"pid": os.getpid(), "run": task.task_run_id, "attempt": task.attempt, **task.input}


@pytest.fixture
def execution():
    made = Execution(Runtime())
    yield made
    made.close()


def test_with_concurrency_1_handlers_run_on_the_thread_of_run(site) -> None:
    worker = site.worker()
    seen = []

    @worker.handler(ECHO)
    def echo(task):
        seen.append(threading.current_thread())
        worker.stop()
        return {}

    worker.register_handlers()
    site.post()
    worker.run()
    assert seen == [threading.current_thread()]


def test_jobs_run_concurrently_up_to_the_limits(site) -> None:
    worker = site.worker(concurrency=3)
    lock = threading.Lock()
    now, most = {ECHO: 0, MEDIA: 0}, {ECHO: 0, MEDIA: 0}
    full = threading.Event()

    def work(task):
        key = task.capability_key
        with lock:
            now[key] += 1
            most[key] = max(most[key], now[key])
            if sum(now.values()) == 3:
                full.set()
        full.wait(10)
        with lock:
            now[key] -= 1
        return {}

    worker.handler(ECHO)(work)
    worker.handler(MEDIA, concurrency=1)(work)
    with running(worker):
        jobs = [site.post(key=MEDIA) for _ in range(4)] + [site.post() for _ in range(4)]
        for job_id in jobs:
            assert site.ended(job_id)["status"] == "succeeded"
    assert full.is_set()
    assert most[MEDIA] == 1


def test_a_handlers_own_concurrency_raises_the_workers(site) -> None:
    worker = site.worker()
    both = threading.Barrier(2)

    @worker.handler(ECHO, concurrency=2)
    def echo(task):
        both.wait(10)
        return {}

    with running(worker):
        jobs = [site.post(), site.post()]
        assert {site.ended(job_id)["status"] for job_id in jobs} == {"succeeded"}


def test_coroutines_share_one_event_loop(site) -> None:
    worker = site.worker(concurrency=4)
    loops = set()

    @worker.handler(ECHO)
    async def echo(task):
        loops.add(asyncio.get_running_loop())
        await asyncio.sleep(0.1)
        return {"n": task.input["n"]}

    with running(worker):
        jobs = [site.post({"n": n}) for n in range(4)]
        assert [site.ended(job_id)["output_envelope"]["n"] for job_id in jobs] == [0, 1, 2, 3]
    assert len(loops) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_signal_is_handled_while_a_coroutine_runs(execution) -> None:
    arrived = threading.Event()
    before = signal.signal(signal.SIGUSR1, lambda *_: arrived.set())

    async def handle(_task):
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        return {"arrived": await asyncio.to_thread(arrived.wait, 5)}

    try:
        assert execution.run(Handler(ECHO, handle), task_of()) == {"arrived": True}
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_an_exiting_coroutine_does_not_block_others(execution, error) -> None:
    async def leave(_task):
        raise error

    async def stay(_task):
        return {}

    with pytest.raises(type(error)):
        execution.run(Handler(ECHO, leave), task_of())
    assert execution.run(Handler(ECHO, stay), task_of()) == {}


def test_a_coroutine_past_its_timeout_is_cancelled(calm_site, caplog) -> None:
    worker = calm_site.worker()
    cleaned_up = []

    @worker.handler(ECHO, timeout=0.2)
    async def echo(task):
        try:
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0.05)
            cleaned_up.append(task.cancelled)
        return {}

    with running(worker):
        job_id = calm_site.post()
        until(lambda: cleaned_up)
        until(lambda: "ran longer than its timeout" in caplog.text)
    assert cleaned_up[0] is True
    assert calm_site.job(job_id)["settlements"] == 0


def test_a_thread_past_its_timeout_keeps_its_slot(site) -> None:
    worker = site.worker()
    order = []

    @worker.handler(ECHO, timeout=0.2)
    def echo(task):
        if task.input.get("slow"):
            until(lambda: task.cancelled)
            order.append("slow returned")
        else:
            order.append("next ran")
        return {}

    with running(worker):
        slow = site.post({"slow": True})
        until(lambda: site.job(slow)["status"] == "running")
        assert site.ended(site.post())["status"] == "succeeded"
    assert order[:2] == ["slow returned", "next ran"]
    assert site.job(slow)["settlements"] == 0


def test_a_thread_pool_gets_the_task_itself(execution) -> None:
    task = task_of()
    with ThreadPoolExecutor(1) as pool:
        handler = Handler(ECHO, lambda given: {"same": given is task}, executor=pool)
        assert execution.run(handler, task) == {"same": True}


def test_a_subclass_of_the_thread_pool_gets_plain_data(execution) -> None:
    class Elsewhere(ThreadPoolExecutor):
        """A subclass like InterpreterPoolExecutor."""

    task = task_of()
    with Elsewhere(1) as pool:
        handler = Handler(ECHO, lambda given: {"same": given is task}, executor=pool)
        assert execution.run(handler, task) == {"same": False}


def test_a_closed_executor_is_broken(execution) -> None:
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(ExecutorBroken, match="shutdown"):
        execution.run(Handler(ECHO, print, executor=pool), task_of())


def test_a_coroutine_function_runs_on_an_executor(execution) -> None:
    async def handle(task):
        await asyncio.sleep(0)
        return task.input

    with ThreadPoolExecutor(1) as pool:
        assert execution.run(Handler(ECHO, handle, executor=pool), task_of(n=1)) == {"n": 1}


@pytest.mark.parametrize("where", ["here", "pool"])
def test_a_cancelled_error_in_a_handler_is_a_failure(execution, where) -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    with ThreadPoolExecutor(1) as pool:
        executor = pool if where == "pool" else None
        handler = Handler(ECHO, lambda _: asyncio.run(cancelled()), executor=executor)
        with pytest.raises(CancelledError):  # an Exception, unlike asyncio's
            execution.run(handler, task_of())


def test_a_process_returns_the_artifacts() -> None:
    task = task_of(n=1)
    task.attempt, task.validation_errors = 2, ["n: too small"]
    output, artifacts = run_elsewhere(in_a_process, task.to_plain())
    assert output == {"pid": os.getpid(), "run": "run-1", "attempt": 2, "n": 1}
    assert artifacts == [{"kind": "json", "artifact_uri": "file:///x", "size_bytes": 1}]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_handlers_run_on_a_dask_cluster(site) -> None:
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 1, "threads_per_worker": 2, "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(processes=False, **options) as cluster,
        distributed.Client(cluster) as client,
        client.get_executor() as executor,
    ):
        worker: Worker = site.worker(concurrency=2, executor=executor)
        worker.handler(ECHO)(in_a_process)
        with running(worker):
            # Two jobs with equal inputs are both run.
            jobs = [site.ended(site.post({"n": 1})) for _ in range(2)]
    assert {job["status"] for job in jobs} == {"succeeded"}
    assert [job["output_envelope"]["run"] for job in jobs] == [
        job["attempts"][0]["task_run_id"] for job in jobs
    ]
    assert [len(job["artifacts"]) for job in jobs] == [1, 1]
