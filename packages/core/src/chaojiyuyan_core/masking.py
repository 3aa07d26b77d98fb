"""Agent keys made unreadable for logs, errors and terminals."""

from __future__ import annotations

import re

_KEY = re.compile(r"\bnxt_[A-Za-z0-9_\-]{4,}")


def mask_key(key: str) -> str:
    """Return ``nxt_…cret`` for a key: enough to recognise it, too little to use it."""
    if len(key) < 12:
        return "…"
    return f"{key[:4]}…{key[-4:]}"


def mask_keys(text: str) -> str:
    """Return the text with every agent key in it masked."""
    return _KEY.sub(lambda match: mask_key(match.group()), text)
