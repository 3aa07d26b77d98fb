"""A worker alone, as in a container: any uid, no HOME, nothing that can be written to."""

from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from .conftest import at

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

    from chaojiyuyan_devserver.testing import LocalKernel

    from .conftest import Environment

# A mount and a user namespace, which is what a container is made of: every file system that can be
# read-only is, and the user is a number without a passwd entry.
CONTAINER = """
for folder in / $(cut -d' ' -f5 /proc/self/mountinfo | grep -Ev '^/(proc|sys|dev)(/|$)'); do
    mount -o remount,ro,bind "$folder" 2>/dev/null
done
exec unshare -U --map-user=54321 --map-group=54321 env -i "$@"
"""
HANDLERS = """
import os, tempfile
from chaojiyuyan_worker import Worker

worker = Worker.from_env()


@worker.handler("test.echo.v1")
def describe(task):
    try:
        writable = tempfile.gettempdir()
    except OSError:
        writable = None
    return {"uid": os.getuid(), "home": os.environ.get("HOME"), "writable": writable, **task.input}
"""


@pytest.fixture(scope="module")
def worker(new_environment: Callable[[str, Path], Environment], interpreter: Path) -> Environment:
    environment = new_environment("worker", interpreter)
    environment.install("chaojiyuyan-worker")
    (environment.home / "handlers.py").write_text(HANDLERS)
    return environment


def in_container(*command: str | Path) -> list[str | Path]:
    tried = subprocess.run(
        ["unshare", "-rm", "sh", "-c", CONTAINER, "sh", "true"], capture_output=True, timeout=30
    )
    if tried.returncode:
        pytest.skip("this machine lets nobody make a user namespace")
    return ["unshare", "-rm", "sh", "-c", CONTAINER, "sh", *command]


def test_neither_the_command_line_nor_mcp_comes_along(
    worker: Environment, weigh: Callable[[str, Environment], None]
) -> None:
    found = set(worker.packages())
    assert {name for name in found if name.startswith("chaojiyuyan")} == {
        "chaojiyuyan-core",
        "chaojiyuyan-worker",
    }
    assert not found & {"click", "mcp", "pydantic"}
    weigh("Worker", worker)


def test_it_settles_a_job_as_any_user_without_home_on_a_read_only_file_system(
    worker: Environment, kernel: LocalKernel, background: Callable[..., subprocess.Popen[str]]
) -> None:
    process = background(
        in_container(
            *(f"{name}={value}" for name, value in at(kernel).items()),
            worker.python,
            *("-m", "chaojiyuyan_worker", "handlers:worker"),
        ),
        cwd=worker.home,
    )
    with kernel.client() as caller:
        job = {"capability_key": "test.echo.v1", "input_payload": {"text": "hi"}}
        job_id = caller.post("kernel-jobs", json=job).json()["data"]["id"]
        settled = wait_for(caller, job_id)
    assert settled["status"] == "succeeded", settled
    assert settled["output_envelope"] == {
        "uid": 54321,
        "home": None,
        "writable": None,
        "text": "hi",
    }
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0, process.communicate()[0]


def wait_for(caller: httpx.Client, job_id: str) -> dict:
    for _ in range(6):
        job = caller.get(f"kernel-jobs/{job_id}", headers={"Prefer": "wait=10"}).json()["data"]
        if job["status"] in {"succeeded", "failed", "cancelled", "expired"}:
            return job
    pytest.fail(f"the job is still {job['status']}")
