"""``--reload`` restarts the worker when its code changes."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys

import pytest

from chaojiyuyan_worker import __main__
from chaojiyuyan_worker._reload import NOT_LOADED, Reloader
from support.workers import until

CHANGED, NOTHING = {"a change"}, ()


class FakeProcess:
    """A fake process that the test ends."""

    def __init__(self) -> None:
        self.signals = []
        self.code = None

    def poll(self):
        return self.code

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def send_signal(self, signum) -> None:
        self.signals.append(signum)


class Watch:
    """Runs a reloader, with actions of the test between its checks."""

    def __init__(self) -> None:
        self.processes = []
        self.reloader = Reloader(["worker"], self._start)

    def _start(self, command):
        self.processes.append(FakeProcess())
        return self.processes[-1]

    def run(self, *steps) -> int:
        """Run the reloader. A step is a change, nothing, or a function to call before a check."""

        def changes():
            for step in steps:
                if callable(step):
                    step()
                    yield NOTHING
                else:
                    yield step
            raise AssertionError("the reloader has not ended")

        return self.reloader.run(changes())

    def end(self, number: int, code: int):
        def step() -> None:
            self.processes[number].code = code

        return step

    def signal(self, signum: int):
        return lambda: self.reloader.handle_signal(signum)


def test_a_change_drains_the_process_and_starts_another() -> None:
    watch = Watch()

    def draining() -> None:
        assert len(watch.processes) == 1

    code = watch.run(CHANGED, CHANGED, draining, watch.end(0, 0), watch.end(1, 0))
    assert code == 0
    assert [process.signals for process in watch.processes] == [[signal.SIGTERM], []]


def test_a_broken_module_waits_for_its_next_change() -> None:
    watch = Watch()

    def waiting() -> None:
        assert len(watch.processes) == 1

    steps = (watch.end(0, NOT_LOADED), waiting, NOTHING, CHANGED, watch.end(1, 3))
    assert watch.run(*steps) == 3
    assert len(watch.processes) == 2


def test_signals_and_the_exit_code_are_passed_on() -> None:
    watch = Watch()
    assert watch.run(watch.signal(signal.SIGTERM), CHANGED, watch.end(0, 1)) == 1
    assert watch.processes[0].signals == [signal.SIGTERM]


def test_a_second_signal_is_passed_on() -> None:
    watch = Watch()
    twice = (watch.signal(signal.SIGINT), watch.signal(signal.SIGINT))
    assert watch.run(*twice, watch.end(0, 130)) == 130
    assert watch.processes[0].signals == [signal.SIGINT] * 2


def test_a_stop_during_a_reload_finishes_running_jobs() -> None:
    watch = Watch()
    assert watch.run(CHANGED, watch.signal(signal.SIGTERM), watch.end(0, 0)) == 0
    assert [process.signals for process in watch.processes] == [[signal.SIGTERM]]


def test_an_exit_by_a_signal_is_128_plus_the_signal() -> None:
    watch = Watch()
    assert watch.run(watch.end(0, -9)) == 137


def test_a_stop_while_waiting_for_a_change_exits_with_0() -> None:
    watch = Watch()
    assert watch.run(watch.end(0, NOT_LOADED), watch.signal(signal.SIGTERM)) == 0


def test_without_watchfiles_one_line_names_the_extra(monkeypatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    before = logging.getLogger().handlers[:]
    try:
        assert __main__.main(["m:worker", "--reload"]) == 1
    finally:
        logging.getLogger().handlers[:] = before
    (line,) = capsys.readouterr().err.splitlines()
    assert "chaojiyuyan-worker[reload]" in line


MODULE = """
from chaojiyuyan_worker import Worker
worker = Worker.from_env()

@worker.handler("test.echo.v1")
def echo(task):
    import other
    task.log.info("at work")
    if task.input.get("wait"):
        import time
        while not __import__("os").path.exists("finish"):
            time.sleep(0.02)
    return {"version": %d, "other": other.VALUE}
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_the_worker_restarts_after_a_change(calm_site, tmp_path) -> None:
    site, code, more = calm_site, tmp_path / "code", tmp_path / "more"
    code.mkdir()
    more.mkdir()
    (code / "my_jobs.py").write_text(MODULE % 1)
    (more / "other.py").write_text("VALUE = 1")
    log = tmp_path / "log"
    environment = {
        **os.environ,
        "CHAOJIYUYAN_API_KEY": site.kernel.api_key,
        "HEBING_BASE_URL": site.kernel.base_url,
        "PYTHONPATH": os.pathsep.join([str(more), os.environ.get("PYTHONPATH", "")]),
    }
    command = [sys.executable, "-m", "chaojiyuyan_worker", "my_jobs:worker", "--reload"]
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [*command, "--reload-dir", str(more)], cwd=code, env=environment, stderr=stderr
        )
    try:
        until(lambda: "registered" in log.read_text(), 30)
        running = site.post({"wait": True})
        until(lambda: "at work" in log.read_text())
        (code / "my_jobs.py").write_text("this is no Python")
        until(lambda: "finishing the running jobs, then" in log.read_text())
        (code / "finish").touch()
        assert site.ended(running, 30)["output_envelope"] == {"version": 1, "other": 1}
        until(lambda: "waiting for the next change" in log.read_text(), 30)
        (more / "other.py").write_text("VALUE = 22")
        until(lambda: log.read_text().count("waiting for the next change") == 2, 30)
        (code / "my_jobs.py").write_text(MODULE % 2)
        job_id = site.post({})
        assert site.ended(job_id, 30)["output_envelope"] == {"version": 2, "other": 22}
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.terminate()
        process.wait(30)
    assert log.read_text().count("SIGTERM received") >= 1
