"""A local package index."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from .environments import INSTALLER_ENVIRONMENT, run

if TYPE_CHECKING:
    from pathlib import Path


class Index:
    """A local package index, and installations from it and the real index."""

    def __init__(self, folder: Path, uv: Path) -> None:
        self.folder, self._uv = folder, uv
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        options = ("--authenticate", ".", "--passwords", ".", "--disable-fallback")
        command = (sys.executable, "-m", "pypiserver", "run", "-i", "127.0.0.1", "-p", str(port))
        self._process = subprocess.Popen(
            [*command, *options, folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 30
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                httpx.get(f"{self.url}/health", trust_env=False).raise_for_status()
                return
            except httpx.HTTPError:
                time.sleep(0.05)
        pytest.fail("the index did not start")

    def upload(self, *files: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Upload like the release: files that exist with the same content are skipped."""
        login = ("--username", "any", "--password", "any", "--publish-url", self.url)
        command = [self._uv, "publish", "--check-url", f"{self.url}/simple", *login, *files]
        return run(command, INSTALLER_ENVIRONMENT, check=check)

    def resolve(self, wanted: str, interpreter: Path) -> dict[str, str]:
        """Return the packages and versions that would be installed; fail if they cannot."""
        options = ("--quiet", "--no-header", "--no-annotate", "--python", interpreter)
        command = [self._uv, "pip", "compile", *options, "--index", f"{self.url}/simple", "-"]
        shown = run(command, INSTALLER_ENVIRONMENT, text=wanted)
        return dict(line.split(" ")[0].split("==") for line in shown.stdout.splitlines())

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(30)
