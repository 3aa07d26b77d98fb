"""The folder that a kernel keeps its data in, and the private files in it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any


def default_folder() -> Path:
    """The folder unless told otherwise, in the user's data folder."""
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
        path: where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = path / "kernel.db"
        self._key = path / "agent-key"
        self._control = path / "control.json"

    def make(self) -> None:
        """Make it, for this user alone, if it is absent.

        The database, too, since SQLite would let others read it: webhook secrets are in there.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.database.touch(mode=0o600)

    @property
    def agent_key(self) -> str | None:
        """The ready agent's key, kept so that a restart prints the same one."""
        return self._key.read_text("utf-8").strip() if self._key.exists() else None

    def keep_agent_key(self, api_key: str) -> None:
        """Keep the ready agent's key."""
        _write_private(self._key, api_key)

    @property
    def control(self) -> dict[str, Any] | None:
        """How to reach the kernel that runs on this folder: ``base_url`` and ``control_token``."""
        if not self._control.exists():
            return None
        control: dict[str, Any] = json.loads(self._control.read_text("utf-8"))
        return control

    def open_control(self, base_url: str, control_token: str) -> None:
        """Say how the kernel that starts on this folder is reached."""
        _write_private(
            self._control, json.dumps({"base_url": base_url, "control_token": control_token})
        )

    def close_control(self) -> None:
        """Say that no kernel runs on this folder any more."""
        self._control.unlink(missing_ok=True)


def _write_private(path: Path, text: str) -> None:
    # made anew, so that nobody who had the old file open reads what is written now
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
