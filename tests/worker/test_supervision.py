"""Internal threads are restarted after errors, and report problems."""

from __future__ import annotations

import threading

import pytest

from chaojiyuyan_worker._run import supervision
from chaojiyuyan_worker._run.runtime import Runtime
from chaojiyuyan_worker._run.supervision import Supervisor
from chaojiyuyan_worker._run.thread_pool import EAGER_THREADS, ThreadPool
from support.workers import until


class Refusing(Runtime):
    """A runtime that refuses to start threads until allowed, and counts the attempts."""

    def __init__(self) -> None:
        self.refuses = True
        self.tries = 0

    def start(self, target, *, name):
        self.tries += 1
        if self.refuses:
            raise RuntimeError("can't start new thread")
        return super().start(target, name=name)


def test_a_thread_that_cannot_start_is_retried() -> None:
    runtime = Refusing()
    supervisor = Supervisor(runtime)
    ran = threading.Event()
    supervisor.add("poll", ran.set)
    assert supervisor.problems == ["not started"]
    assert supervisor.check() is False
    assert supervisor.problems == ["poll cannot be started: can't start new thread"]
    runtime.refuses = False
    assert supervisor.check() is True
    assert ran.wait(10)
    assert supervisor.problems == []


@pytest.mark.parametrize("error", [ValueError("odd"), SystemExit(3), MemoryError()])
def test_a_function_that_raises_runs_again(monkeypatch, error) -> None:
    monkeypatch.setattr(supervision, "RESTART_PAUSE", 0.2)
    runtime = Runtime()
    supervisor = Supervisor(runtime)
    runs, finish = [], threading.Event()

    def body() -> None:
        runs.append(1)
        if len(runs) == 1:
            raise error
        finish.wait(10)

    service = supervisor.add("poll", body)
    supervisor.check()
    until(lambda: supervisor.problems)
    assert type(error).__name__ in supervisor.problems[0]
    assert supervisor.check() is False
    until(lambda: len(runs) == 2)
    until(lambda: not supervisor.problems)
    finish.set()
    service.join(10)
    assert service.returned


def test_a_function_that_returned_does_not_run_again() -> None:
    supervisor = Supervisor(Runtime())
    runs = []
    service = supervisor.add("poll", lambda: runs.append(1))
    for _ in range(3):
        assert supervisor.check()
        service.join(10)
    assert runs == [1]
    assert not service.is_alive


def test_a_pool_grows_only_while_it_makes_no_progress() -> None:
    pool = ThreadPool("pool", Runtime())
    free, done = threading.Event(), threading.Semaphore(0)
    for _ in range(EAGER_THREADS * 4):
        pool.run(lambda: (free.wait(10), done.release()))

    def threads() -> int:
        return sum(thread.name.startswith("pool-") for thread in threading.enumerate())

    assert threads() == EAGER_THREADS
    assert pool.relieve() is not None
    until(lambda: pool.relieve() and threads() == EAGER_THREADS * 2)
    until(lambda: pool.relieve() is None)
    assert threads() == EAGER_THREADS * 4
    free.set()
    assert all(done.acquire(timeout=10) for _ in range(EAGER_THREADS * 4))
    until(lambda: threads() <= EAGER_THREADS)
    pool.close()
    until(lambda: threads() == 0)


def test_an_exception_does_not_end_a_thread_of_the_pool(caplog) -> None:
    pool = ThreadPool("fragile", Runtime())
    ran = threading.Event()
    pool.run(lambda: 1 / 0)
    pool.run(ran.set)
    assert ran.wait(10)
    pool.close()
    until(lambda: "ZeroDivisionError" in caplog.text)


def test_a_pool_waits_until_a_thread_can_start() -> None:
    runtime = Refusing()
    pool = ThreadPool("late", runtime)
    ran = threading.Event()
    pool.run(ran.set)
    assert "can't start new thread" in str(pool.problem)
    runtime.refuses = False
    until(lambda: pool.relieve() is None)
    assert ran.wait(10)
    assert pool.problem is None
    pool.close()


def test_closing_a_pool_runs_the_waiting_functions() -> None:
    pool = ThreadPool("closing", Runtime())
    free, ran = threading.Event(), threading.Event()
    for _ in range(EAGER_THREADS):
        pool.run(lambda: free.wait(10))
    pool.run(ran.set)
    pool.close()
    free.set()
    assert ran.wait(10)
