"""A program that PyInstaller has bundled runs without an installed SDK."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from support.environments import at, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from chaojiyuyan_devserver.testing import LocalKernel
    from support.environments import Environment

PYINSTALLER = "pyinstaller==6.22.3"

# The program does not use the MCP server, whose dependencies take PyInstaller almost a minute.
NEEDLESS = ("mcp", "pydantic", "cryptography", "jsonschema")
EXCLUDED = [f"--exclude-module={name}" for name in NEEDLESS]

PROGRAM = """
from chaojiyuyan_sdk import JobFailed, NexusClient, Worker, errors, verify_webhook_signature

with NexusClient.from_env() as client:
    job = client.call("text.digest.v1", {"text": "one fish two fish"})
    print(job.result(timeout=60)["words"], issubclass(JobFailed, errors.HebingError))
"""


@pytest.mark.skipif(shutil.which("objcopy") is None, reason="PyInstaller needs binutils' objcopy")
@pytest.mark.usefixtures("digest_worker")
def test_a_bundled_program_calls_the_platform(
    new_environment: Callable[[str, Path], Environment],
    interpreter_3_10: Path,
    kernel: LocalKernel,
    tmp_path: Path,
) -> None:
    environment = new_environment("frozen", interpreter_3_10)
    environment.install("chaojiyuyan-sdk>=0.5", PYINSTALLER)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    environment.run(
        *(environment.bin / "pyinstaller", "--log-level", "WARN", "--distpath", tmp_path / "dist"),
        *("--workpath", tmp_path / "build", "--specpath", tmp_path, *EXCLUDED, program),
        cwd=tmp_path,
    )
    shown = run([tmp_path / "dist" / "program" / "program"], at(kernel))
    assert shown.stdout.split() == ["4", "True"]
