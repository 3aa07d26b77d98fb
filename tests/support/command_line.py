"""The installed command as a user runs it: a process with its own home folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sysconfig
from pathlib import Path

from chaojiyuyan_core.credentials import load_credentials

COMMAND = Path(sysconfig.get_path("scripts")) / "chaojiyuyan"
KEY = "nxt_ag_abcdefghijklsecret"
PATIENCE = 30.0  # seconds for each process


class Cli:
    """The command in a minimal environment with its own home folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home  # its working directory
        self.env = {
            "HOME": str(home),
            "PATH": os.pathsep.join([str(COMMAND.parent), "/usr/bin", "/bin"]),
            "LANG": "C.UTF-8",
        }
        self.command = [str(COMMAND)]

    @property
    def credentials(self) -> Path:
        return self.home / ".chaojiyuyan" / "credentials"

    @property
    def mcp_json(self) -> Path:
        return self.home / ".claude" / "mcp.json"

    def log_in(self, base_url: str, api_key: str = KEY, profile: str = "default") -> None:
        self.credentials.parent.mkdir(mode=0o700, exist_ok=True)
        with self.credentials.open("a") as file:
            file.write(f"[{profile}]\napi_key = {api_key}\nbase_url = {base_url}\n")
        self.credentials.chmod(0o600)

    def __call__(
        self, *arguments: str, stdin: str | bytes = b"", **env: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*self.command, *arguments],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            env={**self.env, **env},
            cwd=self.folder,
            timeout=PATIENCE,
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**self.env, **env},
            cwd=self.folder,
        )

    def files(self) -> set[str]:
        """Return the names of the files in the home folder."""
        return {str(path.relative_to(self.home)) for path in self.home.rglob("*")}


def job_id_of(process: subprocess.Popen[str]) -> str:
    """Read the id of the job that `call` has just created."""
    assert process.stdout is not None
    return process.stdout.readline().removeprefix("Job created: ").strip()


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Read the rest and wait for the end; `communicate` would miss buffered output."""
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        rest = process.stdout.read(), process.stderr.read()
    process.wait(PATIENCE)
    return rest


def interrupt(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)


def entry_in(path: Path, container: str = "mcpServers") -> dict[str, object]:
    """Return the server's entry in a client's configuration file."""
    entry: dict[str, object] = json.loads(path.read_text())[container]["chaojiyuyan"]
    return entry


def saved(cli: Cli, profile: str = "default") -> dict[str, str] | None:
    """Return the credentials file's entry for a profile."""
    return load_credentials(path=cli.credentials, profile=profile)
