from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from chaojiyuyan_core.times import parse_http_date, parse_iso

NOON = datetime(2026, 11, 22, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T12:00:00Z", NOON),
        ("2026-11-22T12:00:00z", NOON),
        ("2026-11-22T12:00:00+00:00", NOON),
        ("2026-11-22T14:00:00+02:00", NOON),
        ("2026-11-22T12:00:00", NOON),
        ("2026-11-22 12:00:00", NOON),
        (" 2026-11-22T12:00:00Z ", NOON),
        ("2026-11-22T12:00:00.5Z", NOON + timedelta(milliseconds=500)),
        ("2026-11-22T12:00:00,25+00:00", NOON + timedelta(milliseconds=250)),
        ("2026-11-22T12:00:00.123456789Z", NOON + timedelta(microseconds=123456)),
        ("noon", None),
        ("", None),
        (None, None),
        (5, None),
    ],
)
def test_iso_times_of_the_platform_are_read(text: object, expected: datetime | None) -> None:
    assert parse_iso(text) == expected


@given(st.datetimes(timezones=st.just(timezone.utc)))
def test_every_written_time_is_read_back(time: datetime) -> None:
    assert parse_iso(time.isoformat()) == time
    assert parse_iso(time.isoformat().replace("+00:00", "Z")) == time


@given(st.text())
def test_any_text_is_a_time_or_none(text: str) -> None:
    for time in (parse_iso(text), parse_http_date(text)):
        assert time is None or time.tzinfo is not None


def test_http_dates_are_read() -> None:
    assert parse_http_date("Sun, 22 Nov 2026 12:00:00 GMT") == NOON
    assert parse_http_date("Sunday, 22-Nov-26 12:00:00 GMT") == NOON
    assert parse_http_date("") is parse_http_date(None) is parse_http_date("soon") is None


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 22 Nov 2026 12:00:00 +999999999999999",
        "Sun, 22 Nov 2026 99999999999:00:00 GMT",
        "Sun, 99999999999999999999 Nov 2026 12:00:00 GMT",
    ],
)
def test_a_date_with_a_huge_number_is_none(text: str) -> None:
    assert parse_http_date(text) is None
