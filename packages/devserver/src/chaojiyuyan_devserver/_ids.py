"""New ids, keys and codes."""

import random
import secrets
import time

SECRETS = ("nxt_ag", "whsec", "device")
"""The prefixes of the secrets."""

_chance = random.Random()  # noqa: S311 - ids are not secrets, and the system's source is slow


def new_id(prefix: str) -> str:
    """Return a new id. Ids with the same prefix sort by time, so indexes grow at their end."""
    if prefix in SECRETS:
        return f"{prefix}_{secrets.token_urlsafe(24)}"
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{_chance.getrandbits(48):012x}"


def new_user_code() -> str:
    """Return a code that is easy to type: no vowels, no similar characters (RFC 8628, 6.1)."""
    letters = [secrets.choice("BCDFGHJKLMNPQRSTVWXZ") for _ in range(4)]
    digits = [secrets.choice("23456789") for _ in range(4)]
    return "".join(letters) + "-" + "".join(digits)
