"""The released chaojiyuyan-sdk 0.4.0 runs against the local kernel unchanged.

It is installed from the index into a venv of its own, kept with the workspace's other tools. Where
the index is out of reach these tests are skipped.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chaojiyuyan_devserver.testing import LocalKernel

PEERS = Path(__file__).parents[2] / ".hatch" / "peers"
SCRIPTS = "Scripts" if sys.platform == "win32" else "bin"

CALLER_AND_WORKER = """
import json
from chaojiyuyan_sdk import NexusClient, Worker

client, worker = NexusClient.from_env(), Worker.from_env()

@worker.handler("test.echo.v1")
def echo(task):
    return {"echo": task.input}

job = client.call("test.echo.v1", {"a": 1}, idempotency_key="k")
again = client.call("test.echo.v1", {"a": 1}, idempotency_key="k")
assert again["id"] == job["id"]
worker.run(poll_interval=0.1, once=True)
done = client.wait(job["id"], timeout=30, poll_interval=0.1)
keys = [spec["capability_key"] for spec in client.capabilities(category="test")]
print(json.dumps({"done": done, "keys": keys}))
"""

LOGIN = """
import os
from chaojiyuyan_sdk import NexusClient

client = NexusClient.login_device_flow(
    base_url=os.environ["HEBING_BASE_URL"],
    timeout=30,
    save=False,
    print_fn=lambda text: print(text, flush=True),
)
print("key", client.api_key, client.capabilities()[0]["capability_key"], flush=True)
"""


@pytest.fixture(scope="session")
def released() -> Path:
    """The scripts folder of a virtual environment with the released SDK."""
    home = PEERS / "devserver-0.4.0"
    if not home.exists():
        PEERS.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=PEERS))
        venv.create(made, with_pip=True)
        pip = [made / SCRIPTS / "python", "-m", "pip", "install", "--quiet", "--retries", "1"]
        asked = subprocess.run(
            [*pip, "chaojiyuyan-sdk[mcp]==0.4.0"], capture_output=True, text=True, timeout=100
        )
        if asked.returncode:
            shutil.rmtree(made)
            pytest.skip(f"the index is out of reach: {asked.stderr[-200:]}")
        made.rename(home)
    return home / SCRIPTS


@pytest.fixture
def start(
    released: Path, kernel: LocalKernel, tmp_path: Path
) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that starts a script of the virtual environment with an empty home."""
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "USERPROFILE": str(tmp_path),
        "HEBING_BASE_URL": kernel.base_url,
        "CHAOJIYUYAN_API_KEY": kernel.api_key,
    }
    environment.pop("PYTHONPATH", None)
    started: list[subprocess.Popen[str]] = []

    def run(script: str, *arguments: str) -> subprocess.Popen[str]:
        # run with the interpreter, since the first line of a script has the path of its creation
        command = (
            [released / "python", *arguments]
            if script == "python"
            else [released / "python", released / script, *arguments]
        )
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def test_the_released_client_and_worker_run(
    start: Callable[..., subprocess.Popen[str]], kernel: LocalKernel
) -> None:
    printed, complaint = start("python", "-c", CALLER_AND_WORKER).communicate(timeout=60)
    assert printed, complaint
    outcome = json.loads(printed.splitlines()[-1])
    assert outcome["done"]["status"] == "succeeded"
    assert outcome["done"]["output_envelope"] == {"echo": {"a": 1}}
    assert outcome["keys"] == ["test.echo.v1"]
    assert kernel.job(outcome["done"]["id"])["settlements"] == 1


def test_the_released_device_login_runs(
    start: Callable[..., subprocess.Popen[str]], kernel: LocalKernel
) -> None:
    process = start("python", "-c", LOGIN)
    assert process.stdout is not None
    code = ""
    while not code:
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        found = re.search(r"[A-Z]{4}-\d{4}$", line.strip())
        code = found.group() if found else ""
    kernel.approve_login(code)
    printed, complaint = process.communicate(timeout=60)
    assert "key nxt_ag_" in printed, complaint


def test_the_released_command_line_runs(start: Callable[..., subprocess.Popen[str]]) -> None:
    printed, _ = start("chaojiyuyan", "capabilities").communicate(timeout=60)
    assert "text.digest.v1" in printed
    printed, _ = start("chaojiyuyan", "call", "test.echo.v1", "--input", '{"a": 1}').communicate(
        timeout=60
    )
    assert "Job created: job_" in printed


def test_the_released_mcp_server_runs(
    start: Callable[..., subprocess.Popen[str]], kernel: LocalKernel
) -> None:
    server = start("chaojiyuyan", "mcp-server")
    assert server.stdin is not None
    assert server.stdout is not None
    stdin, stdout = server.stdin, server.stdout

    def send(**message: Any) -> None:
        stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        stdin.flush()

    def ask(number: int, method: str, **params: Any) -> Any:
        send(id=number, method=method, params=params)
        answer = json.loads(stdout.readline())
        assert answer["id"] == number
        return answer["result"]

    def call(number: int, tool: str, **arguments: Any) -> Any:
        result = ask(number, "tools/call", name=tool, arguments=arguments)
        return json.loads(result["content"][0]["text"])

    client = {"name": "test", "version": "1"}
    ask(1, "initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo=client)
    send(method="notifications/initialized")
    call(2, "kernel_register_capability_handler", capability_keys=["test.echo.v1"])
    job = call(3, "kernel_create_job", capability_key="test.echo.v1", input_payload={"a": 1})
    claim = call(4, "kernel_claim_job")
    assert (claim["claimed"], claim["job"]["job_id"]) == (True, job["id"])
    done = call(5, "kernel_submit_job", job_id=job["id"], output_envelope={"b": 2})
    assert done["submitted"] is True
    waited = call(6, "kernel_wait_for_job", job_id=job["id"], timeout=10, poll_interval=0.1)
    assert waited["output_envelope"] == {"b": 2}
    assert kernel.job(job["id"])["settlements"] == 1
