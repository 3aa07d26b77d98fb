"""New ids, keys and codes."""

from __future__ import annotations

import random
import secrets
import time

SECRETS = ("nxt_ag", "whsec", "device")
"""The prefixes of what nobody may guess."""

_chance = random.Random()  # noqa: S311 - ids are no secrets, and the system's source is slow


def new_id(prefix: str) -> str:
    """Return a new id; those with one prefix sort by time, so the database grows at its end."""
    if prefix in SECRETS:
        return f"{prefix}_{secrets.token_urlsafe(24)}"
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{_chance.getrandbits(48):012x}"


def new_user_code() -> str:
    """Return a code for a human to type: no vowels, no look-alikes (RFC 8628, 6.1)."""
    letters = [secrets.choice("BCDFGHJKLMNPQRSTVWXZ") for _ in range(4)]
    digits = [secrets.choice("23456789") for _ in range(4)]
    return "".join(letters) + "-" + "".join(digits)
