"""Each distribution works with the oldest versions of its dependencies."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from support.environments import INITIALIZE, at

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from chaojiyuyan_devserver.testing import LocalKernel
    from support.environments import Environment

ROOT = Path(__file__).resolve().parents[2]

CALL = """
from chaojiyuyan_client import NexusClient

with NexusClient.from_env() as client:
    assert client.run("text.digest.v1", {"text": "a b"}, timeout=30)["words"] == 2
"""
WORK = """
from chaojiyuyan_worker import Worker

worker = Worker.from_env()


@worker.handler("test.echo.v1")
def echo(task):
    worker.stop()
    return task.input


worker.run(poll_interval=0.2)
"""


@pytest.fixture
def oldest(
    new_environment: Callable[[str, Path], Environment],
    interpreter_3_10: Path,
    wheels: Path,
) -> Callable[..., Environment]:
    """A function that installs a package's wheel with its oldest allowed dependencies."""

    def make(name: str, *options: str) -> Environment:
        environment = new_environment(f"oldest-{name}", interpreter_3_10)
        (wheel,) = wheels.glob(f"chaojiyuyan_{name}-*.whl")
        # Only the dependencies listed in pyproject.toml are the oldest; theirs are the newest.
        environment.install(
            *("--resolution", "lowest-direct"),
            *("-r", ROOT / "packages" / name / "pyproject.toml", *options),
            wheel,
        )
        text = (ROOT / "packages" / name / "pyproject.toml").read_text(encoding="utf-8")
        for wanted, bound in re.findall(r'(?m)^  "([\w-]+)>=([\d.]+)', text):
            found = environment.packages().get(wanted, "")  # absent if only an extra needs it
            assert found == "" or f"{found}.".startswith(f"{bound}."), f"{wanted} {found}"
        return environment

    return make


def test_core_and_client_with_oldest_dependencies(
    oldest: Callable[..., Environment], kernel: LocalKernel, digest_worker: None
) -> None:
    environment = oldest("core")
    environment.install("--no-deps", "chaojiyuyan-client")
    environment.run(environment.python, "-c", CALL, **at(kernel))


def test_client_with_oldest_core(
    oldest: Callable[..., Environment], kernel: LocalKernel, digest_worker: None
) -> None:
    environment = oldest("client")
    environment.run(environment.python, "-c", CALL, **at(kernel))


def test_worker_with_oldest_dependencies(
    oldest: Callable[..., Environment], kernel: LocalKernel
) -> None:
    environment = oldest("worker", "--extra", "otel")
    assert "opentelemetry-api" in environment.packages()
    with kernel.client() as caller:
        job = {"capability_key": "test.echo.v1", "input_payload": {"text": "hi"}}
        job_id = caller.post("kernel-jobs", json=job).json()["data"]["id"]
        environment.run(environment.python, "-c", WORK, **at(kernel))
        settled = caller.get(f"kernel-jobs/{job_id}").json()["data"]
    assert (settled["status"], settled["output_envelope"]) == ("succeeded", {"text": "hi"})


def test_cli_with_oldest_dependencies(
    oldest: Callable[..., Environment], kernel: LocalKernel, digest_worker: None
) -> None:
    environment = oldest("cli")
    text = ("--input", '{"text": "a b"}', "--wait")
    shown = environment.run("chaojiyuyan", "call", "text.digest.v1", *text, **at(kernel))
    assert "Final status: succeeded" in shown.stdout
    assert "text.digest.v1" in environment.run("chaojiyuyan", "capabilities", **at(kernel)).stdout


def test_mcp_with_oldest_dependencies(
    oldest: Callable[..., Environment], kernel: LocalKernel
) -> None:
    environment = oldest("mcp")
    call = {"name": "kernel_list_capabilities", "arguments": {}}
    lines = [
        INITIALIZE,
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": call},
    ]
    # Standard input is closed only after the answer, because its end stops the server.
    with environment.conversation("chaojiyuyan-mcp", **at(kernel)) as ask:
        answer = ask(lines, until=2)
    assert not answer["result"]["isError"], answer
    assert "text.digest.v1" in json.dumps(answer)


def test_devserver_with_oldest_dependencies(
    oldest: Callable[..., Environment], background: Callable[..., subprocess.Popen[str]]
) -> None:
    environment = oldest("devserver")
    process = background(
        [environment.python, "-m", "chaojiyuyan_devserver", "--port", "0", "--ephemeral"],
        env=environment.variables(),
    )
    assert process.stdout is not None
    # Standard error is included: it has the console's address with its token.
    lines = iter(process.stdout.readline, "")
    base_url = next(line.strip() for line in lines if line.startswith("http"))
    key = next(line.strip() for line in lines if line.startswith("nxt_ag_"))
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=base_url, headers=headers, trust_env=False) as caller:
        job = {"capability_key": "test.echo.v1", "input_payload": {}}
        assert caller.post("kernel-jobs", json=job).status_code == 201
        assert caller.get("kernel-jobs").json()["data"]["items"]
