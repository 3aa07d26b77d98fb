"""Workers on the local kernel: in a thread of this process, or in separate processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaojiyuyan_worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chaojiyuyan_devserver.testing import LocalKernel

ECHO = "test.echo.v1"
MEDIA = "media.echo.v1"
LEASE = 2
WORKER_PROCESS = Path(__file__).with_name("worker_process.py")


def until(condition: Callable[[], Any], timeout: float = 20.0) -> Any:
    """Wait for the condition to be true, and return its value."""
    end = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
    return value


@contextmanager
def running(worker: Worker, **options: Any) -> Iterator[None]:
    """Run a worker in a thread; at the end, stop it and raise its exception, if any."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            worker.run(**{"poll_interval": 0.2, "heartbeat_interval": 0.4, **options})
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        until(lambda: worker.health().ready or not thread.is_alive())
        worker.stop()
        thread.join(30)
        worker.close()
    assert not thread.is_alive()
    if raised:
        raise raised[0]


class Site:
    """A kernel with short leases, and helpers for tests."""

    lease = LEASE

    def __init__(self, kernel: LocalKernel, folder: Path) -> None:
        self.kernel = kernel
        self.runs_file = folder / "runs"
        self.folder = folder
        self.client = kernel.client()
        self.processes: list[subprocess.Popen[str]] = []
        self.workers: list[Worker] = []

    def worker(self, **options: Any) -> Worker:
        worker = Worker(self.kernel.api_key, self.kernel.base_url, **options)
        self.workers.append(worker)
        return worker

    def post(self, payload: dict[str, Any] | None = None, key: str = ECHO) -> str:
        body = {"capability_key": key, "input_payload": payload or {}}
        answer = self.client.post("/kernel-jobs", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()["data"]["id"]

    def job(self, job_id: str) -> dict[str, Any]:
        return self.kernel.job(job_id)

    def ended(self, job_id: str, timeout: float = 20.0) -> dict[str, Any]:
        until(lambda: self.job(job_id)["status"] in ("succeeded", "failed"), timeout)
        return self.job(job_id)

    def start(self, **environment: str) -> subprocess.Popen[str]:
        """Start a worker process; its log is ``<folder>/worker-N.log``."""
        number = len(self.processes)
        environment = {
            **{k: v for k, v in os.environ.items() if "CHAOJIYUYAN" not in k},
            "CHAOJIYUYAN_API_KEY": self.kernel.api_key,
            "HEBING_BASE_URL": self.kernel.base_url,
            "RUNS_FILE": str(self.runs_file),
            **environment,
        }
        with (self.folder / f"worker-{number}.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, str(WORKER_PROCESS)],
                env=environment,
                stdout=log,
                stderr=log,
                text=True,
            )
        self.processes.append(process)
        until(lambda: "ready" in self.log(number) or process.poll() is not None)
        return process

    def log(self, number: int = 0) -> str:
        return (self.folder / f"worker-{number}.log").read_text()

    def runs(self) -> list[tuple[str, int]]:
        """Return each run of a handler so far: the job's id and the process id."""
        if not self.runs_file.exists():
            return []
        lines = self.runs_file.read_text().splitlines()
        return [(line.split()[0], int(line.split()[1])) for line in lines]

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        for worker in self.workers:
            worker.close()
        self.client.close()
