"""Capabilities as tools of an agent."""

from __future__ import annotations

import base64
import hashlib
import re

MAX_TOOL_NAME = 64
"""Characters of a tool's name at most, as the model APIs allow."""

_PLAIN_KEY = re.compile(r"[a-zA-Z0-9-]+(?:[._][a-zA-Z0-9-]+)*")
_OWN_PREFIX = "kernel_"  # the tools that the MCP server has of its own


def tool_name(capability_key: str) -> str:
    """Return the name that a capability has as a tool, ``[a-zA-Z0-9_-]{1,64}``.

    The name depends on the key alone, and two keys never have the same one: a dot becomes ``_``, an
    underscore ``__``. A key with other characters, one that is too long, and one whose name would
    begin with ``kernel_``, as those of the MCP server do, ends in ``___`` and a hash of the key.

    Args:
        capability_key: The key, for example ``text.digest.v1``.

    Returns:
        The name, for example ``text_digest_v1``.
    """
    name = capability_key.replace("_", "__").replace(".", "_")
    if (
        _PLAIN_KEY.fullmatch(capability_key)
        and len(name) <= MAX_TOOL_NAME
        and not name.startswith(_OWN_PREFIX)
    ):
        return name
    digest = hashlib.sha256(capability_key.encode("utf-8", "surrogatepass")).digest()
    # 128 bits: strangers choose the keys, and must not find two with one name.
    suffix = "___" + base64.b32encode(digest[:16]).decode().rstrip("=").lower()
    words = re.sub(r"[^a-zA-Z0-9-]+", "_", capability_key)[: MAX_TOOL_NAME - len(suffix)]
    return (words.strip("_") or "tool") + suffix
