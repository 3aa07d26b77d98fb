"""Let the user edit an input in an editor."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from ._errors import UserError
from ._inputs import parse_input


def edit_input(payload: dict[str, object]) -> dict[str, object]:
    """Open an input in ``$VISUAL`` or else ``$EDITOR``, and return the edited input.

    Args:
        payload: The input to edit.

    Raises:
        UserError: There is no editor, it failed, or the input is unchanged or invalid.
    """
    command = _find_editor()
    descriptor, name = tempfile.mkstemp(prefix="chaojiyuyan-", suffix=".json")
    path = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogatepass") as file:
            json.dump(payload, file, ensure_ascii=False, indent=2)
            file.write("\n")
        before = path.read_bytes()
        try:
            done = subprocess.run([*command, name], check=False)  # noqa: S603  # the user's own
        except OSError as error:
            raise UserError(f"Cannot start the editor {command[0]}: {error.strerror}") from None
        if done.returncode:
            raise UserError(f"The editor ended with exit code {done.returncode}. Nothing ordered.")
        after = path.read_bytes()
    finally:
        path.unlink(missing_ok=True)
    if after == before:
        raise UserError("The input is unchanged. Nothing ordered.")
    return parse_input(after)


def _find_editor() -> list[str]:
    for name in ("VISUAL", "EDITOR"):
        command = shlex.split(os.environ.get(name, ""), posix=os.name != "nt")
        if command:
            return command
    raise UserError("No editor is configured. Set VISUAL or EDITOR.")
