"""Find the secrets in a server's entry, to mask them in output and remove them from backups."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from chaojiyuyan_core.redaction import mask_key, mask_keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from .servers import Json

_SECRET_NAME = re.compile(r"key|token|secret|passw|authorization|credential", re.IGNORECASE)


def mask_secrets(entry: Json) -> Json:
    """Return an entry with masked secrets. A masked key can still be recognised.

    Args:
        entry: The entry of a server.
    """
    return _replace_secrets(entry, _mask)


def replace_secrets(entry: Json, placeholder: str) -> Json:
    """Return an entry without its secrets.

    Args:
        entry: The entry of a server.
        placeholder: Replaces each secret.
    """
    return _replace_secrets(entry, lambda _: placeholder)


def _mask(secret: str) -> str:
    return mask_key(secret) if mask_keys(secret) != secret else "…"


def _replace_secrets(value: Json, replace: Callable[[str], str], name: str = "") -> Json:
    """Replace texts that look like an agent key, and texts of members named like a secret."""
    if isinstance(value, dict):
        return {key: _replace_secrets(member, replace, key) for key, member in value.items()}
    if isinstance(value, list):
        return [_replace_secrets(member, replace, name) for member in value]
    if not isinstance(value, str) or not value:
        return value
    if _SECRET_NAME.search(name):
        return replace(value)
    return value if mask_keys(value) == value else replace(value)
