"""The command as a process: its flags, its output, its shutdown, and ``trigger``."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from chaojiyuyan_devserver import __version__
from chaojiyuyan_devserver.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from chaojiyuyan_devserver.testing import LocalKernel


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_two_lines_and_stops_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "chaojiyuyan_devserver", "--port", "0", "--data", tmp_path]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        base_url, api_key = (process.stdout.readline().strip() for _ in range(2))
        assert base_url.startswith("http://127.0.0.1:")
        assert base_url.endswith("/api/v1")
        assert api_key.startswith("nxt_ag_")
        headers = {"Authorization": f"Bearer {api_key}"}
        answer = httpx.get(f"{base_url}/kernel-jobs", headers=headers, trust_env=False)
        assert answer.json() == {"data": {"items": []}}
        process.send_signal(number)
        assert process.wait(10) == 0
        assert process.stdout.read() == ""
        link = r"console: http://127.0.0.1:\d+/\?token=[\w-]+\n"
        assert re.fullmatch(link, process.stderr.read())


def test_an_ephemeral_kernel_leaves_no_files(kernel_factory: Callable[..., LocalKernel]) -> None:
    kernel = kernel_factory(ephemeral=True)
    with kernel.client() as client:
        assert client.post("/kernel-jobs", json={"capability_key": "test.echo.v1"}).is_success
    assert kernel.stop() == 0
    assert [path.name for path in kernel.folder.iterdir()] == ["kernel.log"]


def test_faults_are_set_on_the_command_line(kernel_factory: Callable[..., LocalKernel]) -> None:
    kernel = kernel_factory(ephemeral=True, fault=["catalog=503@1", "list=418"])
    with kernel.client() as client:
        statuses = [client.get("/capability-specs").status_code for _ in range(2)]
        assert statuses == [503, 200]
        assert client.get("/kernel-jobs").status_code == 418


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--port", "70000"], "--port"),
        (["--lease", "0"], "--lease"),
        (["--lease", "nan"], "--lease"),
        (["--fault", "submit=maybe"], "expected ENDPOINT=EFFECT"),
        (["--ephemeral", "--data", "x"], "not allowed with"),
        (["--allow-remote", "--no-console-token"], "not allowed with"),
    ],
)
def test_invalid_arguments_are_refused(
    capsys: pytest.CaptureFixture[str], flags: list[str], complaint: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(flags)
    assert caught.value.code == 2
    assert complaint in capsys.readouterr().err


def test_it_does_not_start_with_unusable_files(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["--ephemeral", "--catalog", str(tmp_path / "none.yaml")]) == 1
    assert "none.yaml" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert main(["--port", "0", "--data", str(tmp_path / "file")]) == 1
    assert "cannot start" in capsys.readouterr().err


def test_a_port_in_use_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--ephemeral", "--port", str(port)]) == 1
    assert f"Port {port} is in use. Choose another with --port" in capsys.readouterr().err


def test_it_prints_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.strip() == __version__


def test_trigger(kernel: LocalKernel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = ["--data", str(kernel.folder)]
    assert main(["trigger", "job.failed", *data]) == 1
    assert "no webhook endpoint" in capsys.readouterr().err
    kernel.configure_webhook("http://127.0.0.1:9/", "s3cret")
    assert main(["trigger", "job.failed", *data]) == 0
    delivery, event, *_ = capsys.readouterr().out.split()
    assert event == "job.failed"
    assert main(["trigger", delivery, *data]) == 0
    assert main(["trigger", "dlv_none", *data]) == 1
    capsys.readouterr()
    assert main(["trigger", *data]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert len(listed) == 2
    assert listed[1].startswith(delivery)
    assert main(["trigger", "--data", str(tmp_path)]) == 1
    assert "no kernel is running" in capsys.readouterr().err
