"""The programs in ``examples/``, run as their docstrings say."""

from __future__ import annotations

import hashlib
import os
import runpy
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chaojiyuyan_client import NexusClient
from chaojiyuyan_core.errors import InvalidInput
from chaojiyuyan_worker import testing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaojiyuyan_devserver.testing import LocalKernel

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
BOX = {"width": 200, "height": 100, "depth": 1500}


def environment(kernel: LocalKernel) -> dict[str, str]:
    return {
        **os.environ,
        "CHAOJIYUYAN_API_KEY": kernel.api_key,
        "HEBING_BASE_URL": kernel.base_url,
    }


@contextmanager
def working(name: str, kernel: LocalKernel) -> Iterator[None]:
    """Run an example worker as a process; SIGTERM must stop it with 0 at the end."""
    command = [sys.executable, "-m", "chaojiyuyan_worker", f"{name}:worker"]
    with subprocess.Popen(command, cwd=EXAMPLES, env=environment(kernel)) as process:
        try:
            yield
        finally:
            process.terminate()
            code = process.wait(30)
    assert code == 0


@pytest.fixture
def client(kernel: LocalKernel) -> Iterator[NexusClient]:
    with NexusClient(kernel.api_key, kernel.base_url) as client:
        yield client


def test_async_caller_digests_all_files(kernel: LocalKernel, tmp_path: Path) -> None:
    files = [tmp_path / "one.txt", tmp_path / "two.txt"]
    for file in files:
        file.write_text(f"{file.name} fish\n", encoding="utf-8")
    with working("digest_worker", kernel):
        done = subprocess.run(
            [sys.executable, EXAMPLES / "async_caller.py", *files],
            env=environment(kernel),
            text=True,
            capture_output=True,
            timeout=60,
        )
    assert done.stderr == ""
    expected = [f"{hashlib.sha256(file.read_bytes()).hexdigest()} {file}" for file in files]
    assert done.stdout.splitlines() == expected


def test_typed_worker_measures_a_box(client: NexusClient, kernel: LocalKernel) -> None:
    with working("typed_worker", kernel):
        output = client.run("test.echo.v1", BOX, timeout=60)
    assert output == {"litres": 30.0, "is_parcel": False}


@pytest.mark.parametrize("width", [None, "200", 0, True, 2.5])
def test_typed_worker_refuses_an_invalid_side(
    width: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAOJIYUYAN_API_KEY", "nxt_ag_example")
    worker = runpy.run_path(str(EXAMPLES / "typed_worker.py"))["worker"]
    with pytest.raises(InvalidInput, match=r"^width: expected an integer|refused by Box"):
        testing.run(worker, "test.echo.v1", {**BOX, "width": width})
