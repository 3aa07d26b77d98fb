"""The folder that a kernel keeps its data in, and the private files in it."""

from __future__ import annotations

import json
import os
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Any


def default_folder() -> Path:
    """Return the folder that is used unless another is named, in the user's data folder."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "chaojiyuyan" / "devserver"


class Folder:
    """A data folder.

    Args:
        path: Where it is.

    Attributes:
        database: The database's file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = path / "kernel.db"
        self._key = path / "agent-key"
        self._console_token = path / "console-token"
        self._control = path / "control.json"

    def make(self) -> None:
        """Make it, for this user alone, if it is absent.

        The database as well, since SQLite would let others read it: it holds webhook secrets.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.database.touch(mode=0o600)

    @property
    def holds_data(self) -> bool:
        """Whether a kernel has kept its data here."""
        return self.database.exists() and self.database.stat().st_size > 0

    @property
    def agent_key(self) -> str | None:
        """The ready agent's key, kept so that a restart prints the same one."""
        return self._key.read_text("utf-8").strip() if self._key.exists() else None

    def keep_agent_key(self, api_key: str) -> None:
        """Keep the ready agent's key."""
        if self.agent_key != api_key:
            write_private(self._key, api_key.encode())

    def console_token(self) -> str:
        """Return the console's token, the same at every start, so that a browser stays in."""
        if not self._console_token.exists():
            write_private(self._console_token, secrets.token_urlsafe(24).encode())
        return self._console_token.read_text("utf-8")

    @property
    def control(self) -> dict[str, Any] | None:
        """How to reach the kernel that runs on this folder: ``base_url`` and ``control_token``."""
        if not self._control.exists():
            return None
        control: dict[str, Any] = json.loads(self._control.read_text("utf-8"))
        return control

    def open_control(self, base_url: str, control_token: str) -> None:
        """Say how the kernel that starts on this folder is reached."""
        control = {"base_url": base_url, "control_token": control_token}
        write_private(self._control, json.dumps(control).encode())

    def close_control(self) -> None:
        """Say that no kernel runs on this folder any more."""
        self._control.unlink(missing_ok=True)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that this user alone can read, in one step in place of what is there."""
    number, name = tempfile.mkstemp(prefix=path.name, dir=path.parent)  # mode 0600
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
