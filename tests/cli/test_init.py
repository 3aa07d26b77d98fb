"""`chaojiyuyan init worker` writes a project that works without changes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from chaojiyuyan_core.addresses import DEFAULT_BASE_URL

if TYPE_CHECKING:
    from support.command_line import Cli

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    ".gitignore",
    "Dockerfile",
    "README.md",
    "handlers.py",
    "pyproject.toml",
    "tests/conftest.py",
    "tests/test_handlers.py",
}


@pytest.fixture
def project(cli: Cli) -> Path:
    # The proxy does not respond, so the test also shows that the command works offline.
    done = cli("init", "worker", "mine", HTTPS_PROXY="http://127.0.0.1:9")
    assert (done.returncode, done.stderr) == (0, "")
    folder = cli.home / "mine"
    assert all(f"wrote mine/{name}" in done.stdout for name in FILES)
    return folder


def run_tests(project: Path) -> subprocess.CompletedProcess[str]:
    # Without the settings of this run of pytest, of coverage and of accounts.
    kept = ("PATH", "PYTHONPATH", "TMPDIR", "LANG")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project,
        env={**environment, "HOME": str(project.parent)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_init_writes_a_project(project: Path) -> None:
    written = {
        path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()
    }
    assert written == FILES


def test_the_readme_names_the_base_url_of_the_local_kernel(project: Path) -> None:
    path = urlsplit(DEFAULT_BASE_URL).path
    assert f"HEBING_BASE_URL=http://127.0.0.1:8787{path}\n" in (project / "README.md").read_text()


def test_the_tests_of_the_project_pass(project: Path) -> None:
    done = run_tests(project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_the_tests_of_the_project_find_a_broken_handler(project: Path) -> None:
    handlers = project / "handlers.py"
    text = handlers.read_text()
    broken = text.replace("len(data.text.split())", "len(data.text)")
    assert broken != text
    handlers.write_text(broken)
    done = run_tests(project)
    assert done.returncode == 1
    assert "2 failed, 1 passed" in done.stdout


@pytest.fixture(scope="module")
def lint_environment() -> Path:
    """Return the environment with the type checkers. The first run creates it."""
    hatch = ROOT / "scripts" / "hatch"
    made = subprocess.run([hatch, "env", "create", "lint"], capture_output=True, text=True)
    assert made.returncode == 0 or "already exists" in made.stderr, made.stderr
    found = subprocess.run(
        [hatch, "env", "find", "lint"], capture_output=True, text=True, check=True
    )
    return Path(found.stdout.strip().splitlines()[-1])


@pytest.mark.timeout(300)
@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_the_project_passes_the_type_checkers(
    project: Path, lint_environment: Path, checker: str
) -> None:
    path = os.pathsep.join([str(lint_environment / "bin"), os.environ["PATH"]])
    done = subprocess.run(
        [lint_environment / "bin" / checker],
        cwd=project,
        env={**os.environ, "PATH": path, "VIRTUAL_ENV": str(lint_environment)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_container_installs_the_projects_dependencies(project: Path) -> None:
    dockerfile = (project / "Dockerfile").read_text()
    assert "COPY pyproject.toml handlers.py ./\nRUN pip install --no-cache-dir .\n" in dockerfile
    assert "handlers:worker" in dockerfile


def test_a_folder_that_is_not_empty_is_refused(cli: Cli) -> None:
    folder = cli.home / "mine"
    folder.mkdir()
    (folder / "keep").write_text("mine")
    done = cli("init", "worker", "mine")
    assert done.returncode == 1
    assert "mine is not empty" in done.stderr
    assert [path.name for path in folder.iterdir()] == ["keep"]


def test_an_empty_folder_is_accepted_and_a_file_is_refused(cli: Cli) -> None:
    (cli.home / "empty").mkdir()
    assert cli("init", "worker", "empty").returncode == 0
    (cli.home / "file").write_text("mine")
    done = cli("init", "worker", "file")
    assert done.returncode == 1
    assert "file is a file" in done.stderr
