"""Find keys in clients' files that other users of the machine can read."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from .config_file import McpWriterError
from .secrets import mask_secrets

if TYPE_CHECKING:
    from .locations import McpClient


def find_exposed_key(client: McpClient) -> bool:
    """Return whether the file contains a key and other users can read it.

    Args:
        client: The client.
    """
    if os.name != "posix":
        return False
    try:
        entry = client.file.read_entry()
        mode = client.path.stat().st_mode
    except (McpWriterError, OSError):
        return False
    return mask_secrets(entry) != entry and bool(mode & (stat.S_IRGRP | stat.S_IROTH))
