"""The positions of everything in a chart; ``templates/charts.html`` draws them as inline SVG."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from chaojiyuyan_devserver._activity import INTERVAL, INTERVALS, Interval

from .language import Language
from .page import templates
from .text import length
from .timeline import Span, Timeline

OUTCOMES = ("succeeded", "failed", "expired", "cancelled")
HEIGHT = 132
"""Height of a chart in CSS pixels, including its labels."""

MAX_RUN_SHARE = 82.0
"""Percentage of a job's bar for queueing and running; the rest shows the unused lease."""

_TOP, _BOTTOM = 8, HEIGHT - 20
_STEP = 100 / INTERVALS  # percent
_MAX_GAP = 2  # empty intervals that a line crosses
_MIN_SPAN = 0.4  # percent; a shorter span would be invisible
_TICKS = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 60.0, 600.0, 3600.0, 36000.0)  # seconds


@dataclass(frozen=True, slots=True)
class _Point:
    number: int  # of its interval
    x: float  # percent
    median: float
    slow: float  # the 95th percentile; like the median, a position in CSS pixels
    said: Markup


def throughput_chart(intervals: Sequence[Interval], language: Language) -> Markup:
    """Draw how many jobs ended in each interval, oldest first, stacked by outcome."""
    top = _round_up(max(interval.outcomes.total() for interval in intervals))

    def y(number: float) -> float:
        return _BOTTOM - number / top * (_BOTTOM - _TOP)

    stacks = []
    for place, interval in enumerate(intervals):
        bars, below = [], 0
        for outcome in OUTCOMES:
            above = below + interval.outcomes[outcome]
            if above > below:
                size = (_STEP - 0.2, y(below) - y(above))
                bars.append((outcome, place * _STEP + 0.1, y(above), *size))
            below = above
        if bars:
            stacks.append((_sum_up(interval, language), bars))
    total = sum(interval.outcomes.total() for interval in intervals)
    label = language.count("chart.throughput_label", total)
    levels = [(y(top), f"{top:,}"), (y(top / 2), f"{top / 2:,g}")]
    return _draw("throughput", language, label, levels, stacks)


def latency_chart(intervals: Sequence[Interval], language: Language) -> Markup:
    """Draw the median and the 95th percentile of the time to success, on a logarithmic scale."""
    times = [
        (place, interval, median, slow)
        for place, interval in enumerate(intervals)
        if (median := interval.percentile(0.5)) is not None
        and (slow := interval.percentile(0.95)) is not None
    ]
    low, high = _limits([time for _, _, *both in times for time in both])

    def y(seconds: float) -> float:
        share = math.log(max(seconds, low) / low) / math.log(high / low)
        return _BOTTOM - share * (_BOTTOM - _TOP)

    points = []
    label = language("chart.latency_empty")
    for place, interval, median, slow in times:
        words = {"median": length(median, language), "slow": length(slow, language)}
        said = language("chart.latency_point", time=_clock(interval), **words)
        x = (place + 0.5) * _STEP
        points.append(_Point(interval.number, x, y(median), y(slow), said))
        label = language("chart.latency_label", **words)
    levels = [(y(tick), length(tick, language)) for tick in _TICKS if low <= tick <= high]
    lines = [(one, two) for one, two in pairwise(points) if two.number - one.number <= _MAX_GAP]
    return _draw("latency", language, label, levels, points, lines)


def place_spans(timeline: Timeline) -> list[list[tuple[Span, float, float]]]:
    """Return each group's spans with positions and widths in percent, on one common scale."""
    scale = MAX_RUN_SHARE / max(timeline.length, 1e-3)
    placed = []
    for group in timeline.groups:
        bars = []
        for span in group.spans:
            start = min(span.start * scale, 100 - _MIN_SPAN)
            bars.append((span, start, min(max(span.length * scale, _MIN_SPAN), 100 - start)))
        placed.append(bars)
    return placed


def _draw(kind: str, language: Language, *values: object) -> Markup:
    module = templates.get_template("charts.html").make_module(
        {"t": language, "height": HEIGHT, "bottom": _BOTTOM, "minutes": INTERVAL * INTERVALS / 60}
    )
    drawn: Markup = getattr(module, kind)(*values)
    return drawn


def _round_up(number: float) -> int:
    """Return the next of 2, 4, 10, 20, 40, 100, …, so that half of it is a whole number."""
    size = 1
    while True:
        for step in (2, 4, 10):
            if number <= step * size:
                return step * size
        size *= 10


def _limits(times: Sequence[float]) -> tuple[float, float]:
    low = max((d for d in _TICKS if d <= min(times, default=0.01)), default=_TICKS[0])
    high = min((d for d in _TICKS if d >= max(times, default=1.0)), default=_TICKS[-1])
    return low, high if high > low else low * 10


def _clock(interval: Interval) -> str:
    seconds = int(interval.number * INTERVAL) % 86400
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02} UTC"


def _sum_up(interval: Interval, language: Language) -> str:
    outcomes = [
        f"{language(f'status.{outcome}')} {interval.outcomes[outcome]:,}"
        for outcome in OUTCOMES
        if interval.outcomes[outcome]
    ]
    return f"{_clock(interval)} · {', '.join(outcomes)}"
