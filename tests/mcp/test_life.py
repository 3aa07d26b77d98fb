from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, BinaryIO

import psutil
import pytest

from support.mcp_server import HELLO, clean_environment, reach

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from chaojiyuyan_devserver.testing import LocalKernel
    from support.mcp_server import Servers, Wire

WITHIN = 3.0
"""Maximum seconds for a shutdown, which should take one. The machine may run other tests."""


def end(wire: Wire, how: str) -> None:
    assert wire.process.stdin is not None
    if how == "end of input":
        wire.process.stdin.close()
    else:
        wire.process.send_signal(signal.Signals[how])


@pytest.fixture(params=["end of input", "SIGINT", "SIGTERM"])
def how(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    if sys.platform == "win32" and chosen != "end of input":
        pytest.skip("Windows has no such signal to send")
    return chosen


def test_requests_before_the_end_of_input_are_answered(
    servers: Servers, kernel: LocalKernel
) -> None:
    wire = servers.start(**reach(kernel))
    hello = {"jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": HELLO}
    lines = [hello, {"jsonrpc": "2.0", "id": "list", "method": "tools/list"}]
    wire.write("\n".join(map(json.dumps, lines)).encode())  # and no newline after the last one
    assert wire.end() == 0
    wire.rest()
    assert len(wire.answers["list"]["result"]["tools"]) == 8


def test_the_server_ends_during_a_call(servers: Servers, kernel: LocalKernel, how: str) -> None:
    wire = servers.start(**reach(kernel))
    wire.greet()
    order = {"capability_key": "test.echo.v1", "input_payload": {}}
    job_id = wire.call("kernel_create_job", **order).data["id"]
    waiting = wire.begin("kernel_wait_for_job", progress=True, job_id=job_id)
    while not wire.notices:
        assert wire.take(10)
    end(wire, how)
    assert wire.process.wait(WITHIN) == 0
    # A client that still reads gets an error.
    assert wire.answer(waiting)["error"]["message"] == "Connection closed"
    assert wire.log.read_text() == ""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal to send")
def test_a_second_signal_does_not_disturb_the_shutdown(
    servers: Servers, kernel: LocalKernel
) -> None:
    wire = servers.start(**reach(kernel))
    wire.greet()  # and no call is running
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
        wire.process.send_signal(number)
    assert wire.process.wait(WITHIN) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal to send")
def test_a_signal_ends_a_server_that_is_loading(servers: Servers, kernel: LocalKernel) -> None:
    wire = servers.start(**reach(kernel))
    libraries = "site-packages/pydantic_core"
    process = psutil.Process(wire.process.pid)
    while not any(libraries in each.path for each in process.memory_maps()):
        time.sleep(0.005)
    wire.process.send_signal(signal.SIGTERM)
    assert wire.process.wait(WITHIN) == 0


def test_a_hanging_name_look_up_does_not_delay_the_shutdown(servers: Servers, how: str) -> None:
    """A name look-up that cannot be cancelled does not delay the shutdown."""
    program = (
        "import socket, sys, time\n"
        "def hang(*args, **options):\n"
        "    print('looking up', file=sys.stderr, flush=True)\n"
        "    time.sleep(30)\n"
        "socket.getaddrinfo = hang\n"
        "from chaojiyuyan_mcp import main\n"
        "sys.exit(main())\n"
    )
    wire = servers.start(
        prefix=[sys.executable, "-c", program],
        CHAOJIYUYAN_API_KEY="nxt_ag_12345678",
        HEBING_BASE_URL="https://platform.test/api/v1",
    )
    wire.greet()
    wire.begin("kernel_list_capabilities")
    while "looking up" not in wire.log.read_text():
        time.sleep(0.01)
    end(wire, how)
    assert wire.process.wait(WITHIN) == 0


class TestOutput:
    """The server shuts down although its client does not read."""

    @pytest.fixture
    def server(
        self, servers: Servers, kernel: LocalKernel
    ) -> Iterator[tuple[subprocess.Popen[bytes], BinaryIO]]:
        """Return a server that has written a part of its many answers, and its output."""
        read, write = os.pipe()
        with (servers.home / "deaf.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "chaojiyuyan_mcp"],
                stdin=subprocess.PIPE,
                stdout=write,
                stderr=log,
                env=clean_environment(servers.home, **reach(kernel)),
            )
        os.close(write)
        assert process.stdin is not None
        messages = [{"id": 0, "method": "initialize", "params": HELLO}]
        messages += [{"id": number, "method": "tools/list"} for number in range(1, 100)]
        with process.stdin, os.fdopen(read, "rb", buffering=0) as output:
            for message in messages:
                process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
            process.stdin.flush()
            assert output.read(1) == b"{"
            yield process, output
        process.kill()
        process.wait()

    def test_a_full_output_does_not_delay_the_exit(
        self, server: tuple[subprocess.Popen[bytes], BinaryIO]
    ) -> None:
        process, _ = server
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(WITHIN) == 0

    def test_a_closed_output_ends_the_server(
        self, server: tuple[subprocess.Popen[bytes], BinaryIO]
    ) -> None:
        process, output = server
        output.close()
        assert process.wait(WITHIN) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="there the end of the input has to do")
def test_a_server_without_its_parent_ends(
    servers: Servers, kernel: LocalKernel, tmp_path: Path
) -> None:
    """The parent is killed while this process keeps the server's input open."""
    program = (
        "import subprocess, sys, time;"
        "child = subprocess.Popen([sys.executable, '-m', 'chaojiyuyan_mcp']);"
        "print(child.pid, file=sys.stderr, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(tmp_path, **reach(kernel)),
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    assert parent.stderr is not None
    with parent.stdin, parent.stdout, parent.stderr:
        server = psutil.Process(int(parent.stderr.readline()))
        hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": HELLO}
        parent.stdin.write(json.dumps(hello).encode() + b"\n")
        parent.stdin.flush()
        assert b"serverInfo" in parent.stdout.readline()
        parent.kill()
        parent.wait()
        assert parent.stdout.readline() == b""  # the server has ended and closed it
        server.wait(WITHIN)


def test_standard_output_has_only_protocol_messages(servers: Servers, kernel: LocalKernel) -> None:
    """Output of a library from Python, from C and from a child process, at any time."""
    program = (
        "import atexit, os, subprocess, sys, threading\n"
        "from chaojiyuyan_mcp._tools import caller\n"
        "from chaojiyuyan_mcp import main\n"
        "original = caller.cut_job\n"
        "def noisy(job):\n"
        "    print('from Python', flush=True)\n"
        "    os.write(1, b'from C\\n')\n"
        "    subprocess.run([sys.executable, '-c', 'print(\"from a child\", input())'])\n"
        "    return original(job)\n"
        "caller.cut_job = noisy\n"
        "atexit.register(print, 'at the end', flush=True)\n"
        "sys.exit(main())\n"
    )
    wire = servers.start(prefix=[sys.executable, "-c", program], **reach(kernel))
    wire.greet()
    order = {"capability_key": "test.echo.v1", "input_payload": {}}
    job = wire.call("kernel_create_job", **order).data
    assert wire.call("kernel_get_job", job_id=job["id"]).data["id"] == job["id"]
    assert wire.end() == 0
    wire.rest()
    assert wire.strays == []
    log = wire.log.read_text()
    assert all(text in log for text in ("from Python", "from C", "EOFError", "at the end"))


def test_missing_credentials_are_an_error(servers: Servers) -> None:
    wire = servers.start()
    assert wire.process.wait(20) == 1
    (line,) = wire.log.read_text().splitlines()
    assert "No chaojiyuyan credentials found" in line
    wire.rest()
    assert wire.strays == []


@pytest.mark.skipif(sys.platform == "win32", reason="by a POSIX shell")
def test_closed_pipes_are_an_error(servers: Servers) -> None:
    shell = ["sh", "-c", 'exec "$0" -m chaojiyuyan_mcp <&-', sys.executable]
    wire = servers.start(prefix=shell, CHAOJIYUYAN_API_KEY="nxt_ag_12345678")
    assert wire.process.wait(20) == 1
    (line,) = wire.log.read_text().splitlines()
    assert "standard input and output must be open" in line


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals")
def test_a_start_on_a_terminal_prints_a_hint(servers: Servers) -> None:
    keyboard, terminal = os.openpty()
    done = subprocess.Popen(
        [sys.executable, "-m", "chaojiyuyan_mcp"],
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(servers.home, CHAOJIYUYAN_API_KEY="nxt_ag_12345678"),
    )
    assert done.stderr is not None
    assert b"waiting for an MCP client" in done.stderr.readline()
    done.send_signal(signal.SIGINT)
    assert done.communicate(timeout=WITHIN) == (b"", b"")
    assert done.returncode == 0
    os.close(keyboard)
    os.close(terminal)


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"CHAOJIYUYAN_API_KEY": "nxt_ag_with\tblank"}, "api_key has spaces"),
        ({"CHAOJIYUYAN_API_KEY": "nxt_ag_12345678", "HEBING_BASE_URL": "ftp://x"}, "base URL"),
    ],
)
def test_invalid_credentials_are_an_error(
    servers: Servers, variables: dict[str, str], reason: str
) -> None:
    wire = servers.start(**variables)
    assert wire.process.wait(20) == 1
    (line,) = wire.log.read_text().splitlines()
    assert reason in line
    assert "nxt_ag_" not in line


def test_invalid_arguments_are_an_error(servers: Servers) -> None:
    for arguments in (["--toolset", "x"], ["--read-only", "--tool", "kernel_create_job"], ["--x"]):
        wire = servers.start(*arguments, CHAOJIYUYAN_API_KEY="nxt_ag_12345678")
        assert wire.process.wait(20) == 2
        assert "chaojiyuyan-mcp: error: " in wire.log.read_text()


def test_a_key_in_a_wrong_argument_is_not_shown(servers: Servers) -> None:
    wire = servers.start("nxt_ag_abcdefghsecret")
    assert wire.process.wait(20) == 2
    assert "nxt_…cret" in wire.log.read_text()
    assert "abcdefgh" not in wire.log.read_text()


def test_the_credentials_file_is_used_with_warnings(servers: Servers, kernel: LocalKernel) -> None:
    folder = servers.home / ".chaojiyuyan"
    folder.mkdir()
    file = folder / "credentials"
    file.write_text(
        f"[default]\napi_key = {kernel.api_key}\nbase_url = http://127.0.0.1:9/api/v1\n"
        f"[other]\napi_key = nxt_ag_wrongwrongwrong\nbase_url = {kernel.base_url}\n"
    )
    # The base URL of the environment is used, but the key of a selected profile wins.
    wire = servers.start(HEBING_BASE_URL=kernel.base_url)
    wire.greet()
    assert wire.call("kernel_list_capabilities").data["total"] >= 4
    assert f"{kernel.base_url} receives the key of profile default" in wire.log.read_text()
    wire = servers.start("--profile", "other", **reach(kernel))
    wire.greet()
    assert wire.call("kernel_list_capabilities").error["code"] == "auth_failed"
    wire = servers.start(CHAOJIYUYAN_API_KEY="nxt_ag_12345678", HEBING_BASE_URL="http://x.test/a")
    wire.greet()
    assert wire.end() == 0
    (line,) = wire.log.read_text().splitlines()
    assert "plain http" in line


def test_slow_modules_load_with_the_first_call(servers: Servers, kernel: LocalKernel) -> None:
    program = (
        "import atexit, sys\n"
        "from chaojiyuyan_mcp import main\n"
        "slow = ('httpx', 'jsonschema', 'rich', 'chaojiyuyan_client',"
        " 'chaojiyuyan_worker', 'chaojiyuyan_core.http')\n"
        "atexit.register(lambda: print([name for name in slow if name in sys.modules]))\n"
        "sys.exit(main())\n"
    )
    prefix = [sys.executable, "-c", program]
    wire = servers.start(prefix=prefix, **reach(kernel))
    wire.greet()
    assert len(wire.answer(wire.ask("tools/list"))["result"]["tools"]) == 8
    assert wire.end() == 0
    assert wire.log.read_text() == "[]\n"
    wire = servers.start(prefix=prefix, **reach(kernel))
    wire.greet()
    wire.call("kernel_list_capabilities")
    assert wire.end() == 0
    assert "'httpx', 'jsonschema'" in wire.log.read_text()


def test_options_select_the_tools(servers: Servers, kernel: LocalKernel) -> None:
    wire = servers.start("--tool", "kernel_create_job", "kernel_get_job", **reach(kernel))
    greeting = wire.greet()
    assert "kernel_create_job, kernel_get_job." in greeting["instructions"]
    tools = wire.answer(wire.ask("tools/list"))["result"]["tools"]
    assert [tool["name"] for tool in tools] == ["kernel_create_job", "kernel_get_job"]
    error = wire.call("kernel_submit_job", job_id="x", output_envelope={}).error
    assert error["code"] == "bad_arguments"
