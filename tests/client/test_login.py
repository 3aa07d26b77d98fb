from __future__ import annotations

import asyncio
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from chaojiyuyan_client import AsyncNexusClient, NexusClient
from chaojiyuyan_core.credentials import load_credentials
from chaojiyuyan_core.errors import CredentialsError, DeviceFlowError, DeviceFlowTimeout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PRODUCTION = "https://pic.chaojiyuyan.com/api/v1"
JOB = {"id": "j1", "status": "queued"}


pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def log_in(kind: str) -> Any:
    def start(**options: Any) -> Any:
        if kind == "sync":
            return NexusClient.login_device_flow(**options)
        return asyncio.run(AsyncNexusClient.login_device_flow(**options))

    return start


def deciding(decide: Callable[[str], object]) -> tuple[list[str], Callable[[str], None]]:
    """Collects the printed lines, and uses the code as a user would."""
    lines: list[str] = []

    def print_line(line: str) -> None:
        lines.append(line)
        if line.startswith("2) Enter code: "):
            decide(line.split(": ")[1])

    return lines, print_line


def test_a_login_prints_saves_and_returns_a_client(kernel: Any, log_in: Any, home: Path) -> None:
    lines, print_line = deciding(kernel.approve_login)
    client = log_in(base_url=kernel.base_url + "/", print_fn=print_line)
    saved = load_credentials()
    assert saved is not None
    assert saved["api_key"] == client.api_key
    assert saved["base_url"] == client.base_url == kernel.base_url
    assert saved["account_id"]
    assert [line.split(":")[0] for line in lines] == [
        "Connect to hebing",
        "-----------------",
        "1) Open",
        "2) Enter code",
        "Waiting for approval in your browser...",
        f"Saved credentials to {home}",
        "Connected to hebing.",
    ]


def test_a_login_may_save_to_another_profile_or_not_at_all(
    kernel: Any, log_in: Any, home: Path
) -> None:
    _, print_line = deciding(kernel.approve_login)
    log_in(base_url=kernel.base_url, print_fn=print_line, save=False)
    assert not home.exists()
    log_in(base_url=kernel.base_url, print_fn=print_line, profile="work", client_name="a test")
    assert load_credentials() is None
    assert load_credentials(profile="work") is not None


def test_a_denied_login_saves_nothing(kernel: Any, log_in: Any, home: Path) -> None:
    _, print_line = deciding(kernel.deny_login)
    with pytest.raises(DeviceFlowError):
        log_in(base_url=kernel.base_url, print_fn=print_line)
    assert not home.exists()


def test_a_login_that_nobody_approves_times_out(kernel: Any, log_in: Any) -> None:
    began = time.monotonic()
    with pytest.raises(DeviceFlowTimeout):
        log_in(base_url=kernel.base_url, print_fn=lambda line: None, timeout=0.3)
    assert time.monotonic() - began < 5


def test_a_broken_credentials_file_stops_before_the_login(
    kernel: Any, log_in: Any, home: Path
) -> None:
    home.parent.mkdir()
    home.write_text("broken")
    lines: list[str] = []
    with pytest.raises(CredentialsError):
        log_in(base_url=kernel.base_url, print_fn=lines.append)
    assert lines == []


def test_a_read_only_home_stops_before_the_login(kernel: Any, log_in: Any, home: Path) -> None:
    home.parent.write_text("a file in the folder's place")
    lines: list[str] = []
    with pytest.raises(CredentialsError, match="Cannot write"):
        log_in(base_url=kernel.base_url, print_fn=lines.append)
    assert lines == []


def test_a_key_that_cannot_be_saved_is_shown(kernel: Any, log_in: Any, home: Path) -> None:
    def approve(code: str) -> None:
        home.parent.write_text("a file that somebody puts in the folder's place")
        kernel.approve_login(code)

    lines, print_line = deciding(approve)
    client = log_in(base_url=kernel.base_url, print_fn=print_line)
    assert client.api_key.startswith("nxt_ag_")
    assert "could not be saved" in lines[-3]
    assert lines[-2:] == [
        f"Keep this agent key. It is shown only once: {client.api_key}",
        "Connected to hebing.",
    ]


def test_a_closed_output_does_not_lose_the_key(kernel: Any, log_in: Any, home: Path) -> None:
    lines, print_line = deciding(kernel.approve_login)

    def closing(line: str) -> None:
        if len(lines) == 5:
            raise BrokenPipeError
        print_line(line)

    client = log_in(base_url=kernel.base_url, print_fn=closing)
    saved = load_credentials()
    assert saved is not None
    assert saved["api_key"] == client.api_key


@pytest.fixture
def login_platform() -> Iterator[Callable[..., str]]:
    """Start a platform that approves each login at once, with these members in its responses."""
    members: dict[str, object] = {}

    class Platform(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            code = {"user_code": "A-1", "verification_url": "https://x.example/device"}
            answer = {"api_key": "nxt_ag_0123456789secret", "device_code": "d", **code, **members}
            body = json.dumps({"data": answer}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    def start(**given: object) -> str:
        members.update(given)
        return f"http://127.0.0.1:{server.server_port}/api/v1"

    with ThreadingHTTPServer(("127.0.0.1", 0), Platform) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield start
        server.shutdown()


@pytest.mark.parametrize("account_id", [12345, 1.5, ["a"], "a\x00b", None])
def test_a_strange_account_id_does_not_lose_the_key(
    log_in: Any, home: Path, login_platform: Any, account_id: object
) -> None:
    lines: list[str] = []
    client = log_in(
        base_url=login_platform(account_id=account_id, interval=10**400), print_fn=lines.append
    )
    saved = load_credentials()
    shown = any(client.api_key in line for line in lines)
    assert shown or (saved is not None and saved["api_key"] == client.api_key)


def test_by_default_lines_are_flushed_at_once(
    kernel: Any, log_in: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DeviceFlowTimeout):
        log_in(base_url=kernel.base_url, timeout=0.1)
    assert "2) Enter code: " in capsys.readouterr().out
