"""A worker installed with the steps of docs/deploy/Dockerfile, like in a container.

It runs with any uid, without HOME, and on a read-only file system.
"""

from __future__ import annotations

import inspect
import json
import re
import shlex
import signal
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from chaojiyuyan_worker import Worker
from support.environments import at

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from chaojiyuyan_devserver.testing import LocalKernel
    from support.environments import Environment

DEPLOY = Path(__file__).resolve().parents[2] / "docs" / "deploy"

# Mount and user namespaces, like in a container: all file systems that can be read-only are
# read-only, and the user is a number without a passwd entry.
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
def image() -> dict[str, str]:
    """Return the Dockerfile's instructions."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    steps = [line.split(None, 1) for line in text.splitlines() if re.match(r"[A-Z]+ ", line)]
    assert [name for name, _ in steps].count("RUN") == 1
    return dict(steps)


@pytest.fixture(scope="module")
def worker(
    new_environment: Callable[[str, Path], Environment],
    interpreter: Path,
    image: dict[str, str],
) -> Environment:
    installer, command, *args = shlex.split(image["RUN"])
    assert (installer, command) == ("pip", "install")
    environment = new_environment("worker", interpreter)
    environment.install(*(word for word in args if not word.startswith("--no-cache")))
    (environment.home / "handlers.py").write_text(HANDLERS)
    return environment


def in_container(*command: str | Path) -> list[str | Path]:
    inside = ["unshare", "-rm", "sh", "-c", CONTAINER, "sh"]
    try:
        subprocess.run([*inside, "true"], capture_output=True, timeout=30, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this machine makes no user namespaces: {error}")
    return [*inside, *command]


def test_worker_installs_neither_command_line_nor_mcp(
    worker: Environment, weigh: Callable[[str, Environment], None]
) -> None:
    found = set(worker.packages())
    assert {name for name in found if name.startswith("chaojiyuyan")} == {
        "chaojiyuyan-core",
        "chaojiyuyan-worker",
    }
    assert not found & {"click", "mcp", "pydantic"}
    weigh("Worker", worker)


def test_it_settles_a_job_as_any_user_on_a_read_only_system(
    worker: Environment,
    image: dict[str, str],
    kernel: LocalKernel,
    background: Callable[..., subprocess.Popen[str]],
) -> None:
    port = str(free_port())
    start = [*json.loads(image["ENTRYPOINT"]), *json.loads(image["CMD"].replace("8080", port))]
    assert start[:3] == ["python", "-m", "chaojiyuyan_worker"]
    process = background(
        in_container(
            *(f"{name}={value}" for name, value in at(kernel).items()), worker.python, *start[1:]
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
    health = image["HEALTHCHECK"].replace("8080", port).partition("CMD")[2]
    worker.run(*json.loads(health))
    process.send_signal(getattr(signal, image["STOPSIGNAL"]))
    assert process.wait(30) == 0, process.communicate()[0]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wait_for(caller: httpx.Client, job_id: str) -> dict:
    for _ in range(6):
        job = caller.get(f"kernel-jobs/{job_id}", headers={"Prefer": "wait=10"}).json()["data"]
        if job["status"] in {"succeeded", "failed", "cancelled", "expired"}:
            return job
    pytest.fail(f"the job is still {job['status']}")


def test_the_image_runs_as_a_numeric_user_other_than_root(image: dict[str, str]) -> None:
    user = image["USER"].split(":")[0]
    assert user.isdigit(), "a name is nothing that runAsNonRoot can check"
    assert user != "0"


def test_the_deployment_files_allow_the_shutdown_timeout(image: dict[str, str]) -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    deployment = yaml.safe_load((DEPLOY / "kubernetes.yaml").read_text())
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    drain = inspect.signature(Worker).parameters["graceful_shutdown_timeout"].default
    assert compose["services"]["worker"]["stop_grace_period"] == "30s"
    assert pod["terminationGracePeriodSeconds"] == 30 > drain
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["args"] == json.loads(image["CMD"])
