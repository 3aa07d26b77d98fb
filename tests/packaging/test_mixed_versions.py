"""Parts of different minor versions install together only if the ranges allow it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

import bump
from support.environments import INSTALLER_ENVIRONMENT, ROOT, at, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from chaojiyuyan_devserver.testing import LocalKernel
    from support.environments import Environment

WORK_AND_CALL = """
import threading

from chaojiyuyan_client import NexusClient
from chaojiyuyan_worker import Worker

worker = Worker.from_env()
worker.handler("test.echo.v1")(lambda task: {"echo": task.input})
working = threading.Thread(target=worker.run, kwargs={"poll_interval": 0.1})
working.start()
with NexusClient.from_env() as client:
    assert client.run("test.echo.v1", {"n": 1}, timeout=60) == {"echo": {"n": 1}}
worker.stop()
working.join()
"""


@pytest.fixture(scope="module")
def next_worker(uv: Path, wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The version of a worker of the next minor series, whose wheel is added to the others."""
    folder = tmp_path_factory.mktemp("next") / "worker"
    shutil.copytree(ROOT / "packages" / "worker", folder)
    old = bump.read_version(folder)
    new = bump.text_of(bump.bumped(old, "minor"))
    bump.replace(bump.version_file(folder), bump.text_of(old), new)
    built = folder.parent / "dist"
    run([uv, "build", "--quiet", "--wheel", "--out-dir", built, folder], INSTALLER_ENVIRONMENT)
    (wheel,) = built.glob("*.whl")
    return f"chaojiyuyan-worker @ {wheel.as_uri()}"


def test_client_and_next_worker_install_one_core(
    new_environment: Callable[[str, Path], Environment],
    interpreter_3_10: Path,
    next_worker: str,
    kernel: LocalKernel,
) -> None:
    environment = new_environment("mixed", interpreter_3_10)
    environment.install("chaojiyuyan-client", next_worker)
    versions = environment.packages()
    assert versions["chaojiyuyan-worker"] != versions["chaojiyuyan-client"]
    environment.run(environment.python, "-c", WORK_AND_CALL, **at(kernel))


@pytest.mark.parametrize("name", ["cli", "mcp"])
def test_a_part_refuses_a_worker_of_the_next_series(
    name: str,
    new_environment: Callable[[str, Path], Environment],
    interpreter_3_10: Path,
    next_worker: str,
) -> None:
    environment = new_environment("refused", interpreter_3_10)
    refused = environment.install(f"chaojiyuyan-{name}>=0.5", next_worker, check=False)
    assert refused.returncode == 1
    assert "unsatisfiable" in " ".join(refused.stderr.split())
