"""Clean environments for installing the built wheels."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from chaojiyuyan_devserver.testing import LocalKernel

ROOT = Path(__file__).resolve().parents[2]

NOT_THEIRS = {"UV_CONSTRAINT", "VIRTUAL_ENV"}  # belong to the environment that runs the tests
INSTALLER_ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name not in NOT_THEIRS},
    "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(ROOT / ".hatch" / "uv")),
    "UV_PYTHON_DOWNLOADS": "never",
    "UV_SYSTEM_CERTS": "1",
}
if "PIP_INDEX_URL" in os.environ:
    INSTALLER_ENVIRONMENT.setdefault("UV_DEFAULT_INDEX", os.environ["PIP_INDEX_URL"])

Ask = Callable[..., dict[str, Any]]

INITIALIZE = {
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


def at(kernel: LocalKernel) -> dict[str, str]:
    """Return the environment variables with the URL and key of the local kernel."""
    return {"CHAOJIYUYAN_API_KEY": kernel.api_key, "HEBING_BASE_URL": kernel.base_url}


class Environment:
    """A virtual environment and a home folder, without this checkout on any path."""

    def __init__(self, folder: Path, interpreter: Path, wheels: Path, uv: Path) -> None:
        self.folder, self.home, self.wheels, self._uv = folder, folder / "home", wheels, uv
        self.bin = folder / "venv" / "bin"
        self.python = self.bin / "python"
        self.home.mkdir(parents=True)
        self._installer("venv", "--python", interpreter, folder / "venv")

    def _installer(self, *args: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        return run([self._uv, *args], INSTALLER_ENVIRONMENT, check=check)

    def install(self, *args: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run ``uv pip install`` with the index and the built wheels."""
        where = ("--python", self.python, "--find-links", self.wheels)
        return self._installer("pip", "install", *where, *args, check=check)

    def pip(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run ``pip install`` with the index and the built wheels."""
        command = [self.python, "-m", "pip", "install", "--find-links", self.wheels, *args]
        return run(command, INSTALLER_ENVIRONMENT, check=check)

    def run(
        self,
        *command: str | Path,
        check: bool = True,
        input: str | None = None,  # noqa: A002 - as subprocess.run names it
        cwd: Path | None = None,
        **environment: str,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program with this environment first on PATH and only the given variables."""
        variables = self.variables(**environment)
        return run(list(command), variables, check, input, cwd or self.home)

    @contextmanager
    def conversation(self, *command: str | Path, **environment: str) -> Iterator[Ask]:
        """Run a program that reads and writes lines of JSON; yield a function to send requests."""
        with subprocess.Popen(
            list(command),
            env=self.variables(**environment),
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=self.home,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            stdin, stdout = process.stdin, process.stdout

            def ask(messages: list[dict[str, Any]], until: int) -> dict[str, Any]:
                for message in messages:
                    stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
                stdin.flush()
                for line in stdout:
                    if (answer := json.loads(line)).get("id") == until:
                        return answer
                pytest.fail(f"{command[0]} ended before its answer")

            try:
                yield ask
                stdin.close()
                assert process.wait(30) == 0
            finally:
                process.kill()

    def variables(self, **more: str) -> dict[str, str]:
        """Return the environment variables for a program."""
        return {"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": str(self.home), **more}

    def packages(self) -> dict[str, str]:
        """Return the installed distributions with their versions."""
        listed = self._installer("pip", "list", "--python", self.python, "--format", "json")
        return {row["name"]: row["version"] for row in json.loads(listed.stdout)}

    @property
    def site_packages(self) -> Path:
        """Return the folder of the installed packages."""
        return next((self.folder / "venv" / "lib").glob("python3*/site-packages"))

    def megabytes(self) -> float:
        """Return the size of the installed packages, without compiled files."""
        files = (file for file in self.site_packages.rglob("*") if file.suffix != ".pyc")
        return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def run(
    command: list[str | Path],
    environment: dict[str, str],
    check: bool = True,
    text: str | None = None,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        command, env=environment, cwd=cwd, input=text, text=True, capture_output=True, timeout=300
    )
    if check and result.returncode:
        shown = " ".join(map(str, command))
        pytest.fail(f"{shown} ended with {result.returncode}:\n{result.stdout}{result.stderr}")
    return result


def interpreter_of(version: str) -> Path:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    on_path = (Path(folder, f"python{version}") for folder in os.get_exec_path())
    for candidate in (sys.executable, *pyenv.glob(f"{version}.*/bin/python"), *on_path):
        if _runs(candidate, version):
            return Path(candidate)
    pytest.skip(f"no Python {version} on this machine")


def _runs(candidate: str | Path, version: str) -> bool:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:  # pyenv has shims for versions that it then refuses to run
        shown = subprocess.run([candidate, "-c", code], text=True, capture_output=True, timeout=20)
    except OSError:
        return False
    return shown.stdout.strip() == version
