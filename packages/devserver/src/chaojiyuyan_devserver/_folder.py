"""The folder with a kernel's data and its private files."""

import json
import os
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Any


def default_folder() -> Path:
    """Return the default folder, which is in the user's data folder."""
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
        path: The folder's path.

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
        """Create the folder, readable only by this user, if it does not exist.

        Creates the database file too, which contains webhook secrets: SQLite would make it
        readable by others.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.database.touch(mode=0o600)

    @property
    def holds_data(self) -> bool:
        """Whether the folder has a kernel's data."""
        return self.database.exists() and self.database.stat().st_size > 0

    @property
    def agent_key(self) -> str | None:
        """The ready agent's key, stored so that a restart prints the same key."""
        return self._key.read_text("utf-8").strip() if self._key.exists() else None

    def keep_agent_key(self, api_key: str) -> None:
        """Store the ready agent's key."""
        if self.agent_key != api_key:
            write_private(self._key, api_key.encode())

    def console_token(self) -> str:
        """Return the console's token, the same at every start, so that browsers stay logged in."""
        if not self._console_token.exists():
            write_private(self._console_token, secrets.token_urlsafe(24).encode())
        return self._console_token.read_text("utf-8")

    @property
    def control(self) -> dict[str, Any] | None:
        """The running kernel's address, ``base_url``, and its ``control_token``."""
        if not self._control.exists():
            return None
        control: dict[str, Any] = json.loads(self._control.read_text("utf-8"))
        return control

    def open_control(self, base_url: str, control_token: str) -> None:
        """Store the address of the kernel that starts on this folder."""
        control = {"base_url": base_url, "control_token": control_token}
        write_private(self._control, json.dumps(control).encode())

    def close_control(self) -> None:
        """Remove the address: no kernel runs on this folder now."""
        self._control.unlink(missing_ok=True)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only this user can read, and replace an existing one atomically."""
    number, name = tempfile.mkstemp(prefix=path.name, dir=path.parent)  # mode 0600
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
