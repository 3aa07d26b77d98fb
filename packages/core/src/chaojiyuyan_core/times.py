"""The two forms in which the wire writes a time."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from functools import lru_cache

_FRACTION = re.compile(r"[.,](\d+)")


def parse_iso(value: object) -> datetime | None:
    """Read an ISO 8601 time; one without a zone is UTC. None for anything else.

    Args:
        value: A text such as ``2026-11-22T10:00:00Z``, whatever the number of decimals.
    """
    if not isinstance(value, str):
        return None
    # Python 3.10 reads neither "Z" nor any number of decimals but three and six.
    text = _FRACTION.sub(lambda match: "." + match.group(1)[:6].ljust(6, "0"), value.strip(), 1)
    if text[-1:] in ("Z", "z"):
        text = text[:-1] + "+00:00"
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo is not None else time.replace(tzinfo=timezone.utc)


@lru_cache(maxsize=16)  # it changes once a second, and comes with every answer
def parse_http_date(value: str | None) -> datetime | None:
    """Read the date of an HTTP header (RFC 9110, 5.6.7); None for anything else."""
    if not value:
        return None
    from email.utils import parsedate_to_datetime

    try:
        time = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # a number that no C integer holds is the latter
        return None
    return time if time.tzinfo is not None else time.replace(tzinfo=timezone.utc)
