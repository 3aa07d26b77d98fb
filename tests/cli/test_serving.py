"""`worker`, `mcp-server` and `dev` run until they are stopped."""

from __future__ import annotations

import json
import signal
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from support.command_line import finish, interrupt

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaojiyuyan_devserver.testing import LocalKernel
    from support.command_line import Cli
    from support.terminal import Terminal

CAP = "test.echo.v1"

APP = """
from chaojiyuyan_worker import Worker

worker = Worker.from_env()

@worker.handler("test.echo.v1")
def shout(task):
    return {"text": task.input["text"].upper()}
"""


# --- worker --------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_the_stub_warns_and_asks(connected: Cli, answer: str) -> None:
    done = connected("worker", CAP, stdin=answer)
    assert (done.returncode, done.stderr) == (0, "")
    assert "ECHO-STUB" in done.stdout
    assert "Continue? [y/N]" in done.stdout
    assert done.stdout.endswith("Aborted.\n")


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_stub_echoes_until_it_is_stopped(connected: Cli, stop: signal.Signals) -> None:
    worker = connected.start("worker", CAP, "--yes", "--poll-interval", "0.2")
    done = connected("call", CAP, "--input", '{"text": "hi"}', "--wait", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["output_envelope"]["echo"] == {"text": "hi"}
    worker.send_signal(stop)
    stdout, stderr = finish(worker)
    assert worker.returncode == 0
    assert "Worker running against" in stdout
    assert "Traceback" not in stderr


def test_the_stub_starts_on_a_terminal_after_the_answer_yes(
    connected: Cli, terminal: Callable[..., Terminal]
) -> None:
    shown = terminal("worker", CAP)
    shown.expect(r"\[y/N\]")
    shown.send("y\n")
    assert connected("call", CAP, "--wait").returncode == 0
    shown.send("\x03")
    assert shown.end() == 0
    assert "Traceback" not in shown.text


@pytest.mark.parametrize("common", [[], ["--profile", "local"]])
def test_app_runs_a_real_worker(cli: Cli, kernel: LocalKernel, common: list[str]) -> None:
    cli.log_in(kernel.base_url, kernel.api_key, profile=common[1] if common else "default")
    (cli.home / "shouting.py").write_text(APP)
    worker = cli.start("worker", "--app", "shouting:worker", *common)
    done = cli("call", CAP, "--input", '{"text": "hi"}', "--wait", "--json", *common)
    assert json.loads(done.stdout)["output_envelope"] == {"text": "HI"}
    interrupt(worker)
    _, stderr = finish(worker)
    assert worker.returncode == 0, stderr


@pytest.mark.parametrize(
    "arguments", [[], [CAP, "--app", "m:w"], ["--app", "m:w", "--poll-interval", "1"], [CAP, "x"]]
)
def test_a_worker_is_either_a_stub_or_an_app(connected: Cli, arguments: list[str]) -> None:
    assert connected("worker", *arguments).returncode == 2


def test_an_app_that_is_not_a_worker_lists_the_workers(connected: Cli) -> None:
    (connected.home / "shouting.py").write_text(APP)
    for place, found in (("shouting:nope", "is missing"), ("shouting:shout", "function")):
        done = connected("worker", "--app", place)
        assert done.returncode == 1
        assert "expected a Worker" in done.stderr
        assert found in done.stderr
        assert "shouting has shouting:worker" in done.stderr
    assert "json has no Worker" in connected("worker", "--app", "json:nope").stderr


def test_dev_names_the_port_in_use(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        done = cli("dev", "--port", port, "--ephemeral")
    assert done.returncode == 1
    assert f"Port {port} is in use. Choose another with --port" in done.stderr


def test_dev_controls_a_running_kernel(cli: Cli) -> None:
    process = cli.start("dev", "--port", "0", "--data", "data")
    assert process.stdout is not None
    process.stdout.readline()
    assert cli("dev", "trigger", "--data", "data").returncode == 0
    assert cli("dev", "skip", "1", "--data", "data").returncode == 0
    done = cli("dev", "snapshot", "save", "state.json", "--data", "data")
    assert done.returncode == 0, done.stderr
    assert (cli.home / "state.json").exists()
    interrupt(process)
    finish(process)
    assert cli("dev", "trigger", "--help").returncode == 0


def test_dev_prints_the_address_and_key_on_a_terminal(terminal: Callable[..., Terminal]) -> None:
    shown = terminal("dev", "--port", "0", "--ephemeral")
    shown.expect(r"console: http://127\.0\.0\.1:\d+/\?token=")
    shown.expect(r"export HEBING_BASE_URL=http://127\.0\.0\.1:\d+/api/v1")
    key = shown.expect(r"export CHAOJIYUYAN_API_KEY=(nxt_ag_\S+)").group(1)
    shown.send("\x03")
    assert shown.end() == 0
    assert shown.text.count(key) == 1


def test_a_missing_app_is_an_error(connected: Cli) -> None:
    done = connected("worker", "--app", "absent_module:worker")
    assert done.returncode == 1
    assert "absent_module" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_stub_for_an_unknown_capability_stops(connected: Cli) -> None:
    done = connected("worker", "text.digst.v1", "--yes")
    assert done.returncode == 1
    assert "Did you mean text.digest.v1?" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_worker_with_a_refused_key_stops(cli: Cli, kernel: LocalKernel) -> None:
    env = {"CHAOJIYUYAN_API_KEY": "nxt_ag_no_such_key", "HEBING_BASE_URL": kernel.base_url}
    done = cli("worker", CAP, "--yes", **env)
    assert done.returncode == 2
    assert "401" in done.stderr
    assert "Traceback" not in done.stderr


# --- what may not be installed -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "package", "extra"),
    [("mcp-server", "chaojiyuyan_mcp", "mcp"), ("dev", "chaojiyuyan_devserver", "dev")],
)
def test_a_missing_package_is_named_with_its_install_command(
    cli: Cli, command: str, package: str, extra: str
) -> None:
    code = (
        f"import sys; sys.modules[{package!r}] = None;"
        f"from chaojiyuyan_cli.main import main; sys.exit(main([{command!r}]))"
    )
    cli.command = [sys.executable, "-c", code]
    done = cli()
    assert done.returncode == 1
    assert f"chaojiyuyan-sdk[{extra}]" in done.stderr
    assert done.stderr.count("\n") == 1


def test_connect_mentions_the_missing_mcp_package(cli: Cli) -> None:
    code = (
        "import sys; sys.modules['chaojiyuyan_mcp'] = None;"
        "from chaojiyuyan_cli.main import main;"
        "sys.exit(main(['connect', '--no-verify', '--api-key', 'nxt_ag_any_key_at_all', '--yes']))"
    )
    cli.command = [sys.executable, "-c", code]
    assert "Tip" in (shown := cli().stdout)
    assert "chaojiyuyan-sdk[mcp]" in shown


# --- mcp-server and dev --------------------------------------------------------------------------


def test_the_mcp_server_responds_and_parses_its_options(connected: Cli) -> None:
    process = connected.start("mcp-server", "--help")
    stdout, _ = finish(process)
    assert process.returncode == 0
    assert "--read-only" in stdout
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }
    done = connected("mcp-server", "--read-only", stdin=json.dumps(hello) + "\n")
    assert done.returncode == 0
    answer = json.loads(done.stdout.splitlines()[0])
    assert answer["result"]["serverInfo"]["name"]


def test_dev_runs_the_local_kernel(cli: Cli) -> None:
    process = cli.start("dev", "--port", "0", "--ephemeral")
    assert process.stdout is not None
    base_url = process.stdout.readline().strip()
    key = process.stdout.readline().strip()
    env = {"CHAOJIYUYAN_API_KEY": key, "HEBING_BASE_URL": base_url}
    assert CAP in cli("capabilities", **env).stdout
    interrupt(process)
    _, stderr = finish(process)
    assert process.returncode == 0, stderr
    assert "Traceback" not in stderr
