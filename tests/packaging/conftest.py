"""The built wheels, and clean environments to install them into."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.environments import (
    ROOT,
    Environment,
    at,
    interpreter_of,
    run,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chaojiyuyan_devserver.testing import LocalKernel


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Allow time for the first build of the wheels, on a busy machine with cold caches."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(400))


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All wheels of this checkout, built and checked by scripts/build once for all test workers.

    ``CHAOJIYUYAN_WHEELS`` may name a folder of other wheels to test, such as those of a release.
    """
    if "CHAOJIYUYAN_WHEELS" in os.environ:
        return Path(os.environ["CHAOJIYUYAN_WHEELS"])
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = base / "wheels"
    with (base / "wheels.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            making = base / "wheels-making"
            run([ROOT / "scripts" / "build", making], dict(os.environ))
            making.rename(folder)
    return folder


@pytest.fixture(scope="session")
def uv() -> Path:
    """The uv that hatch installed, or the machine's."""
    beside_hatch = ROOT / ".hatch" / "tool" / "bin" / "uv"
    found = beside_hatch if beside_hatch.exists() else shutil.which("uv")
    assert found, "uv is missing: run ./scripts/hatch --version once"
    return Path(found)


@pytest.fixture(scope="session", params=["3.10", "3.13"])
def interpreter(request: pytest.FixtureRequest) -> Path:
    """The oldest supported Python, and a newer one."""
    version: str = request.param
    return interpreter_of(version)


@pytest.fixture(scope="session")
def interpreter_3_10() -> Path:
    """The oldest supported Python."""
    return interpreter_of("3.10")


@pytest.fixture(scope="session")
def new_environment(
    tmp_path_factory: pytest.TempPathFactory, wheels: Path, uv: Path
) -> Callable[[str, Path], Environment]:
    """A function that makes an empty environment: ``new_environment("minimal", interpreter)``."""

    def make(name: str, interpreter: Path) -> Environment:
        return Environment(tmp_path_factory.mktemp(name), interpreter, wheels, uv)

    return make


@pytest.fixture(scope="session")
def stated() -> dict[str, tuple[int, float, int, float]]:
    """The table of docs/install.md by row: packages and megabytes, then the limits of both."""
    rows = {}
    for line in (ROOT / "docs" / "install.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 6 and cells[2].isdigit():
            rows[cells[0]] = (int(cells[2]), float(cells[3]), int(cells[4]), float(cells[5]))
    return rows


@pytest.fixture
def weigh(
    stated: dict[str, tuple[int, float, int, float]],
) -> Callable[[str, Environment], None]:
    """A function that checks an environment against its row of docs/install.md."""

    def check(road: str, environment: Environment) -> None:
        packages, megabytes, most_packages, most_megabytes = stated[road]
        found, size = len(environment.packages()), environment.megabytes()
        print(f"{road}: {found} packages, {size:.1f} MB")
        assert found <= most_packages
        assert size <= most_megabytes
        if "python3.13" not in str(environment.site_packages):
            return  # older ones also need backports
        assert abs(found - packages) <= 3, "docs/install.md states another number of packages"
        assert abs(size - megabytes) <= 0.25 * megabytes, "docs/install.md states another size"

    return check


@pytest.fixture
def background() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """A function that starts programs, which are stopped at the end of the test."""
    started: list[subprocess.Popen[str]] = []

    def start(command: list[str | Path], **options: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=30)


@pytest.fixture
def digest_worker(
    kernel: LocalKernel, background: Callable[..., subprocess.Popen[str]]
) -> Iterator[None]:
    """The demo's worker for ``text.digest.v1`` on the local kernel."""
    environment = {**os.environ, **at(kernel)}
    command = [sys.executable, "-m", "chaojiyuyan_worker", "digest_worker:worker"]
    process = background(command, cwd=ROOT / "examples", env=environment)
    yield
    assert process.poll() is None, process.communicate()[0]
