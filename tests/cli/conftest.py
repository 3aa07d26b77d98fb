"""Runs the installed command as a user would: a process with a home folder of its own."""

from __future__ import annotations

import fcntl
import json
import os
import re
import select
import signal
import struct
import subprocess
import sys
import sysconfig
import termios
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from chaojiyuyan_core.credentials import load_credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chaojiyuyan_devserver.testing import LocalKernel

COMMAND = Path(sysconfig.get_path("scripts")) / "chaojiyuyan"
KEY = "nxt_ag_abcdefghijklsecret"
PATIENCE = 30.0  # seconds that any process may take


class Cli:
    """The command, in an environment that knows nothing but its own home folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home  # where it is started
        self.env = {
            "HOME": str(home),
            "PATH": os.pathsep.join([str(COMMAND.parent), "/usr/bin", "/bin"]),
            "LANG": "C.UTF-8",
        }
        self.command = [str(COMMAND)]

    @property
    def credentials(self) -> Path:
        return self.home / ".chaojiyuyan" / "credentials"

    @property
    def mcp_json(self) -> Path:
        return self.home / ".claude" / "mcp.json"

    def log_in(self, base_url: str, api_key: str = KEY, profile: str = "default") -> None:
        self.credentials.parent.mkdir(mode=0o700, exist_ok=True)
        with self.credentials.open("a") as file:
            file.write(f"[{profile}]\napi_key = {api_key}\nbase_url = {base_url}\n")
        self.credentials.chmod(0o600)

    def __call__(
        self, *arguments: str, stdin: str | bytes = b"", **env: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*self.command, *arguments],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            env={**self.env, **env},
            cwd=self.folder,
            timeout=PATIENCE,
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**self.env, **env},
            cwd=self.folder,
        )

    def files(self) -> set[str]:
        """What lies in the home folder."""
        return {str(path.relative_to(self.home)) for path in self.home.rglob("*")}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def cli(home: Path) -> Cli:
    return Cli(home)


@pytest.fixture
def connected(cli: Cli, kernel: LocalKernel) -> Cli:
    """The command, logged in to the local kernel."""
    cli.log_in(kernel.base_url, kernel.api_key)
    return cli


class Terminal:
    """A process on a pseudo-terminal of its own, and what stands on it."""

    # The terminal becomes the process's controlling one, so that Ctrl-C reaches it.
    _SHIM = (
        "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )

    def __init__(self, command: list[str], env: dict[str, str], cwd: Path, columns: int) -> None:
        self._ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-c", self._SHIM, *command],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={"TERM": "xterm-256color", **env},
            cwd=cwd,
            start_new_session=True,
        )
        os.close(theirs)
        self.text = ""

    def expect(self, pattern: str) -> re.Match[str]:
        """Read until the pattern stands in what was written."""
        deadline = time.monotonic() + PATIENCE
        while (found := re.search(pattern, self.text)) is None:
            assert self._read(deadline), f"{pattern!r} never came; got {self.text!r}"
        return found

    def send(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def interrupt_prompt(self) -> None:
        """Press Ctrl-C once the process sleeps in its read.

        Between its last look for signals and that read, CPython would notice it with the next key.
        """
        deadline = time.monotonic() + PATIENCE
        while psutil.Process(self.process.pid).status() != psutil.STATUS_SLEEPING:
            assert time.monotonic() < deadline, "it never waited for a line"
        self.send("\x03")

    def end(self) -> int:
        """Read to the end, and return the exit code."""
        deadline = time.monotonic() + PATIENCE
        while self._read(deadline):
            pass
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], max(deadline - time.monotonic(), 0))
        try:
            data = os.read(self._ours, 65536) if ready else b""
        except OSError:  # Linux's end of file
            data = b""
        self.text += data.decode(errors="replace")
        return bool(data)


@pytest.fixture
def terminal(cli: Cli) -> Iterator[Callable[..., Terminal]]:
    """Starts the command on a terminal."""
    started = []

    def start(*arguments: str, columns: int = 100, **env: str) -> Terminal:
        started.append(
            Terminal([*cli.command, *arguments], {**cli.env, **env}, cli.folder, columns)
        )
        return started[-1]

    yield start
    for one in started:
        one.close()


class FakePlatform(ThreadingHTTPServer):
    """Answers what it is told to, for what the local kernel would never say."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.answers: dict[str, tuple[int, str, bytes]] = {}
        self.half = threading.Event()  # set it, and the second half of a file is sent
        self.base_url = f"http://127.0.0.1:{self.server_address[1]}/api/v1"

    def say(self, path: str, body: object, status: int = 200) -> None:
        """Answer JSON to every request for the path, whatever its method."""
        self.answers[path] = (status, "application/json", json.dumps(body).encode())

    def say_file(self, path: str, content: bytes) -> None:
        """Answer a file whose second half is sent once `half` is set."""
        self.answers[path] = (200, "application/octet-stream", content)

    def say_html(self, path: str, page: bytes, status: int = 200) -> None:
        self.answers[path] = (status, "text/html", page)


class _Answer(BaseHTTPRequestHandler):
    server: FakePlatform

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        path = self.path.partition("?")[0].removeprefix("/api/v1")
        status, kind, body = self.server.answers[path]
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if kind == "application/octet-stream":
            self.wfile.write(body[: len(body) // 2])
            self.server.half.wait(PATIENCE)
            body = body[len(body) // 2 :]
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def platform() -> Iterator[FakePlatform]:
    with FakePlatform() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def node_tools() -> Path:
    """The folder with Node 22 and the MCP clients, as scripts/node-tools installs them."""
    checkout = Path(__file__).parents[2]
    folder = Path(os.environ.get("CHAOJIYUYAN_NODE_TOOLS") or checkout / ".hatch" / "node")
    if not (folder / "bin" / "claude").exists():
        pytest.skip(f"no Claude Code in {folder}: scripts/node-tools installs it")
    return folder / "bin"


def job_id_of(process: subprocess.Popen[str]) -> str:
    """Read the id of the job that `call` has just created."""
    assert process.stdout is not None
    return process.stdout.readline().removeprefix("Job created: ").strip()


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Read the rest, and wait for the end: `communicate` would miss what is buffered."""
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        rest = process.stdout.read(), process.stderr.read()
    process.wait(PATIENCE)
    return rest


def interrupt(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)


def entry_in(path: Path, container: str = "mcpServers") -> dict[str, object]:
    """The server's entry in a client's file."""
    entry: dict[str, object] = json.loads(path.read_text())[container]["chaojiyuyan"]
    return entry


def saved(cli: Cli, profile: str = "default") -> dict[str, str] | None:
    """What the credentials file has for a profile."""
    return load_credentials(path=cli.credentials, profile=profile)
