"""Parse the two time formats of the API: ISO 8601 and HTTP dates."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from functools import lru_cache

_FRACTION = re.compile(r"[.,](\d+)")


def parse_iso(value: object) -> datetime | None:
    """Return an ISO 8601 time, or None when the value is not one.

    Args:
        value: A string such as ``2026-11-22T10:00:00Z``, with any number of decimals. A time
            without a time zone is in UTC.
    """
    if not isinstance(value, str):
        return None
    # Python 3.10 does not parse "Z", and only three or six decimals.
    text = _FRACTION.sub(lambda match: "." + match.group(1)[:6].ljust(6, "0"), value.strip(), 1)
    if text[-1:] in ("Z", "z"):
        text = text[:-1] + "+00:00"
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo is not None else time.replace(tzinfo=timezone.utc)


@lru_cache(maxsize=16)  # every response has the header, and it changes once a second
def parse_http_date(value: str | None) -> datetime | None:
    """Return the date in an HTTP header (RFC 9110, 5.6.7), or None when it is not one.

    Args:
        value: The value of the header, or None.
    """
    if not value:
        return None
    from email.utils import parsedate_to_datetime

    try:
        time = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # OverflowError: a number too large for a C integer
        return None
    return time if time.tzinfo is not None else time.replace(tzinfo=timezone.utc)
