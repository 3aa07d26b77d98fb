"""The console's charts and their counts."""

from __future__ import annotations

import re

import pytest

from chaojiyuyan_devserver._activity import INTERVAL, INTERVALS, Activity
from chaojiyuyan_devserver._console.charts import latency_chart, throughput_chart
from chaojiyuyan_devserver._console.language import ENGLISH

NOW = 1_000_000.0


def test_jobs_are_counted_in_the_interval_of_their_end() -> None:
    activity = Activity()
    activity.add("succeeded", NOW - 30, NOW - 25)
    activity.add("failed", NOW - 30, NOW - 21)
    activity.add("expired", NOW - 3600, NOW)
    window = activity.window(NOW)
    assert len(window) == INTERVALS
    assert [dict(i.outcomes) for i in window[-4:]] == [
        {"succeeded": 1, "failed": 1},
        {},
        {},
        {"expired": 1},
    ]
    start = window[-1].number * INTERVAL
    assert start <= NOW < start + INTERVAL


def test_jobs_older_than_the_window_are_dropped() -> None:
    activity = Activity()
    for number in range(3 * INTERVALS):
        activity.add("succeeded", NOW, NOW + number * INTERVAL)
    later = NOW + 3 * INTERVALS * INTERVAL
    assert sum(i.outcomes.total() for i in activity.window(later)) == INTERVALS - 1
    assert not any(i.outcomes for i in activity.window(later + 2 * INTERVALS * INTERVAL))


def test_stored_jobs_are_counted_in_any_order() -> None:
    ended = [("succeeded", NOW, NOW + at) for at in (25, 1, 13)]
    activity = Activity()
    activity.restore(ended)
    assert [i.outcomes.total() for i in activity.window(NOW + 25)[-3:]] == [1, 1, 1]


def test_percentiles_are_of_successes_and_within_five_percent() -> None:
    activity = Activity()
    for number in range(1, 101):
        activity.add("succeeded", NOW - number / 100, NOW)
    activity.add("failed", NOW - 1000, NOW)
    (interval,) = [i for i in activity.window(NOW) if i.outcomes]
    assert interval.percentile(0.5) == pytest.approx(0.5, rel=0.06)
    assert interval.percentile(0.95) == pytest.approx(0.95, rel=0.06)
    assert activity.window(NOW)[0].percentile(0.5) is None


def test_bars_stack_the_outcomes() -> None:
    activity = Activity()
    for outcome, number in (("succeeded", 3), ("failed", 1)):
        for _ in range(number):
            activity.add(outcome, NOW - 1, NOW)
    svg = throughput_chart(activity.window(NOW), ENGLISH)
    bars = re.findall(r'<rect class="(\w+)" [^>]*y="([\d.]+)"[^>]*height="([\d.]+)"', svg)
    assert [bar[0] for bar in bars] == ["succeeded", "failed"]
    (_, y, height), (_, upper_y, upper_height) = bars
    assert float(height) == pytest.approx(3 * float(upper_height), abs=0.2)
    assert float(upper_y) + float(upper_height) == pytest.approx(float(y), abs=0.1)
    assert "succeeded 3, failed 1" in svg
    assert 'aria-label="4 jobs ended in the last 15 minutes"' in svg


def test_lines_are_interrupted_at_a_pause() -> None:
    activity = Activity()
    for at in (0, 10, 200, 210):
        activity.add("succeeded", NOW + at - 0.2, NOW + at)
    svg = latency_chart(activity.window(NOW + 210), ENGLISH)
    assert svg.count('<line class="p50"') == 2
    assert svg.count('<circle class="p50"') == 4


def test_empty_charts_are_drawn() -> None:
    window = Activity().window(NOW)
    assert "0 jobs ended" in throughput_chart(window, ENGLISH)
    assert "no job succeeded" in latency_chart(window, ENGLISH)


def test_charts_have_no_style_attributes() -> None:
    activity = Activity()
    activity.add("succeeded", NOW - 1, NOW)
    for chart in (throughput_chart, latency_chart):
        assert "style=" not in chart(activity.window(NOW), ENGLISH)
