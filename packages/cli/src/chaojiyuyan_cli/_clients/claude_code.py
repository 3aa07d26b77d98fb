"""Claude Code's own command, which alone knows how its servers are kept."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

from chaojiyuyan_cli._errors import UserError

from .config_file import DEFAULT_SERVER_KEY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .json_text import Json

_TIMEOUT = 60.0  # seconds; its first run on a machine takes a while


def executable() -> str | None:
    """Return the path of ``claude``, None where it is not on PATH."""
    return shutil.which("claude")


def add_arguments(entry: dict[str, Json]) -> list[str]:
    """Return the arguments that register the server for the user, in every project.

    Args:
        entry: The server. It must hold no key: arguments show in the process list.
    """
    return ["mcp", "add-json", "-s", "user", DEFAULT_SERVER_KEY, json.dumps(entry)]


def add(claude: str, entry: dict[str, Json]) -> None:
    """Register the server for the user; an entry of the same name must not be there.

    Args:
        claude: The program.
        entry: The server, without a key.

    Raises:
        UserError: The program failed.
    """
    _run(claude, add_arguments(entry))


def remove(claude: str) -> None:
    """Remove the server from the user's scope.

    Args:
        claude: The program.

    Raises:
        UserError: The program failed.
    """
    _run(claude, ["mcp", "remove", "-s", "user", DEFAULT_SERVER_KEY])


def _run(claude: str, arguments: Sequence[str]) -> None:
    try:
        done = subprocess.run(  # noqa: S603  # the user's own program
            [claude, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"`claude {' '.join(arguments[:2])}` failed: {error}") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise UserError(f"`claude {' '.join(arguments[:2])}` failed: {said[-1]}")
