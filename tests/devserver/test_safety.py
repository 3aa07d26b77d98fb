"""Attacks from web pages, from other machines and users, and by careless flags."""

from __future__ import annotations

import functools
import socket
import sqlite3
import stat
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

from chaojiyuyan_devserver.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from chaojiyuyan_devserver.testing import LocalKernel

CONTROL_PATHS = [
    ("POST", "/_control/reset"),
    ("POST", "/_control/agents"),
    ("PUT", "/_control/faults"),
    ("GET", "/_control/agents/ready"),
]


def root(kernel: LocalKernel) -> str:
    """Return the kernel's address without a path."""
    return kernel.base_url.removesuffix("/api/v1")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "localhost.evil.example", ""])
def test_an_unknown_host_name_is_refused(kernel_client: httpx.Client, host: str) -> None:
    for path in ("/api/v1/capability-specs", "/activate", "/", "/_control/reset"):
        answer = kernel_client.get(
            httpx.URL(kernel_client.base_url).copy_with(path=path), headers={"Host": host}
        )
        assert answer.status_code == 421
        assert answer.json()["detail"]["code"] == "host_not_allowed"


@pytest.mark.parametrize("host", ["localhost:1", "LOCALHOST", "127.0.0.1", "[::1]:8787"])
def test_known_host_names_are_served(kernel_client: httpx.Client, host: str) -> None:
    assert kernel_client.get("/capability-specs", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(("method", "path"), CONTROL_PATHS)
def test_the_control_endpoints_need_their_token(
    kernel: LocalKernel, method: str, path: str
) -> None:
    for headers in (
        {},
        {"X-Control-Token": "guess"},
        {"Authorization": f"Bearer {kernel.api_key}"},
    ):
        answer = httpx.request(method, root(kernel) + path, headers=headers, trust_env=False)
        assert answer.status_code == 403


@pytest.mark.parametrize("header", ["Origin", "Sec-Fetch-Site"])
def test_web_pages_are_refused_control_even_with_the_token(
    kernel: LocalKernel, header: str
) -> None:
    token = kernel._token
    answer = httpx.post(
        root(kernel) + "/_control/reset",
        headers={"X-Control-Token": token, header: "http://127.0.0.1"},
        trust_env=False,
    )
    assert answer.status_code == 403


def test_other_sites_cannot_read_responses(kernel_client: httpx.Client) -> None:
    answer = kernel_client.get("/capability-specs", headers={"Origin": "https://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_has_a_limit(kernel_client: httpx.Client, declared: bool) -> None:
    piece = b'{"capability_key": "' + b"x" * (1 << 20)
    content = piece * 9 if declared else iter([piece] * 9)
    try:
        answer = kernel_client.post("/kernel-jobs", content=content)
    except httpx.WriteError:  # the server need not read a refused body
        return
    assert (answer.status_code, answer.json()["detail"]["code"]) == (413, "payload_too_large")


def test_a_large_payload_within_the_limit_comes_back_whole(
    kernel: LocalKernel, kernel_client: httpx.Client
) -> None:
    text = "ü" * 1_000_000
    call = {"capability_key": "test.echo.v1", "input_payload": {"text": text}}
    job_id = kernel_client.post("/kernel-jobs", json=call).json()["data"]["id"]
    kernel.settle(job_id, {"text": text})
    job = kernel_client.get(f"/kernel-jobs/{job_id}").json()["data"]
    assert job["input_envelope"]["text"] == job["output_envelope"]["text"] == text


def test_keys_and_tokens_are_not_stored_or_logged(
    kernel_factory: Callable[..., LocalKernel],
) -> None:
    kernel = kernel_factory()
    other = kernel.new_agent("other")
    with kernel.client() as client:
        login = client.post("/oauth/device/authorize", json={"client_name": "x"}).json()["data"]
    token = kernel._token
    assert kernel.stop() == 0
    stored = b"".join(path.read_bytes() for path in kernel.folder.glob("kernel.db*"))
    assert other.id.encode() in stored
    for secret in (kernel.api_key, other.api_key, login["device_code"], token):
        assert secret.encode() not in stored
    log = (kernel.folder / "kernel.log").read_text()
    assert kernel.api_key not in log
    assert token not in log


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_the_private_files_are_private(kernel_factory: Callable[..., LocalKernel]) -> None:
    kernel = kernel_factory()
    private = ["agent-key", "control.json", *(p.name for p in kernel.folder.glob("kernel.db*"))]
    assert len(private) > 3
    for name in private:
        assert stat.S_IMODE((kernel.folder / name).stat().st_mode) == 0o600
    kernel.stop()
    assert not (kernel.folder / "control.json").exists()


def test_a_second_kernel_on_the_same_folder_is_refused(
    kernel: LocalKernel, kernel_client: httpx.Client, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["--port", "0", "--data", str(kernel.folder)]) == 1
    assert "another kernel" in capfd.readouterr().err
    assert kernel_client.get("/kernel-jobs").status_code == 200


def test_a_folder_with_another_database_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kernel.db").write_bytes(b"not a database" * 1000)
    assert main(["--port", "0", "--data", str(tmp_path)]) == 1
    assert "cannot start" in capfd.readouterr().err


def test_a_remote_host_needs_allow_remote(
    capfd: pytest.CaptureFixture[str],
) -> None:
    for host in ("0.0.0.0", "::", "192.168.1.7", "example.org"):
        with pytest.raises(SystemExit) as caught:
            main(["--host", host, "--ephemeral"])
        assert caught.value.code == 2
    assert "Add --allow-remote to allow this" in capfd.readouterr().err


def test_a_name_that_starts_like_a_loopback_address_is_not_one(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["--host", "127.attacker.example", "--ephemeral"])
    assert "opens the kernel to other machines" in capfd.readouterr().err


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_other_sites_cannot_start_a_login(kernel_client: httpx.Client, site: str) -> None:
    answer = kernel_client.post(
        "/oauth/device/authorize",
        content=b'{"client_name": "evil"}',
        headers={"Sec-Fetch-Site": site},
    )
    assert (answer.status_code, answer.json()["detail"]["code"]) == (403, "cross_site_request")
    own = kernel_client.post(
        "/oauth/device/authorize",
        json={"client_name": "own page"},
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert own.status_code == 200


def test_a_body_without_a_content_type_is_refused(kernel_client: httpx.Client) -> None:
    answer = kernel_client.post("/oauth/device/authorize", content=b'{"client_name": "evil"}')
    assert answer.status_code == 422


@pytest.mark.skipif(sys.platform == "win32", reason="file descriptors are limited on POSIX")
def test_incomplete_requests_do_not_block_new_clients(
    kernel_factory: Callable[..., LocalKernel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subprocess.Popen", functools.partial(subprocess.Popen, preexec_fn=few))
    kernel = kernel_factory(ephemeral=True)
    url = urlsplit(kernel.base_url)
    halves = []
    for _ in range(FEW):
        half = socket.create_connection((url.hostname or "", url.port or 0))
        half.sendall(b"GET /api/v1/capability-specs HTTP/1.1\r\nHost: ")
        halves.append(half)
    with kernel.client() as client:
        assert client.get("/capability-specs").status_code == 200
    for half in halves:
        half.close()
    lines = (kernel.folder / "kernel.log").read_text().splitlines()
    assert len([line for line in lines if "limit of" in line]) == 1
    assert len(lines) < 5


FEW = 420


def few() -> None:
    """Limit a process to a few file descriptors."""
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (FEW, FEW))


def test_it_listens_only_on_loopback(kernel: LocalKernel) -> None:
    port = urlsplit(kernel.base_url).port or 0
    address = socket.gethostbyname(socket.gethostname())
    if address.startswith("127."):
        pytest.skip("this machine has no other address")
    with pytest.raises(OSError):
        socket.create_connection((address, port), timeout=2)


def test_a_remote_kernel_serves_this_machines_names(
    kernel_factory: Callable[..., LocalKernel],
) -> None:
    kernel = kernel_factory(host="0.0.0.0", allow_remote=True, ephemeral=True)
    assert kernel.base_url.startswith("http://127.0.0.1:")
    with kernel.client() as client:
        for host, status in ((socket.gethostname(), 200), ("evil.example", 421)):
            answer = client.get("/capability-specs", headers={"Host": host})
            assert answer.status_code == status


def test_the_database_passes_its_integrity_check(
    kernel_factory: Callable[..., LocalKernel],
) -> None:
    kernel = kernel_factory()
    with kernel.client() as client:
        client.post("/kernel-jobs", json={"capability_key": "test.echo.v1"})
    kernel.kill()
    with sqlite3.connect(kernel.folder / "kernel.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("SELECT count(*) FROM jobs").fetchall() == [(1,)]
    database.close()
