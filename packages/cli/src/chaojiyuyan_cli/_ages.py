"""Read and write times in the form that people use: ``5 min ago``, ``--since 2h``."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from chaojiyuyan_core.times import parse_iso

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"(\d{1,9})\s*([a-z]+)")
_STEPS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def describe_age(value: object, now: datetime) -> object:
    """Return how long ago a time was, or the value itself when it is not a time.

    Args:
        value: An ISO 8601 time, as the API writes it.
        now: The present time, with a time zone.
    """
    when = parse_iso(value)
    if when is None:
        return value
    seconds = (now - when).total_seconds()
    if seconds < 1:  # this machine's clock may be behind the platform's
        return "just now"
    size, unit = next(step for step in _STEPS if seconds >= step[0])
    return f"{int(seconds // size)} {unit} ago"


def parse_since(text: str, now: datetime) -> datetime:
    """Read the start of a time span.

    Args:
        text: A length, such as ``90s``, ``30min``, ``2h``, ``7d`` or ``1w``, or an ISO 8601 date
            or time. A time without a time zone is in UTC.
        now: The present time, with a time zone.

    Returns:
        The time at which the span starts.

    Raises:
        ValueError: The text is neither a length nor a date or time.
    """
    span = _SPAN.fullmatch(text.strip().lower())
    if span is not None and span[2] in _UNITS:
        try:
            return now - timedelta(seconds=int(span[1]) * _UNITS[span[2]])
        except OverflowError:
            return datetime.min.replace(tzinfo=timezone.utc)
    when = parse_iso(text)
    if when is None:
        raise ValueError(f"{text!r} is neither a length such as 2h nor a date such as 2026-11-22")
    return when
