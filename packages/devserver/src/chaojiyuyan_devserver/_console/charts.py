"""Charts as inline SVG, made here: pure functions from data to markup.

Positions along the time are percentages, so a chart fills any width without a script; colours and
type come from the style sheet by class.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from markupsafe import Markup

from chaojiyuyan_devserver._activity import INTERVAL, INTERVALS

from .text import length

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from chaojiyuyan_devserver._activity import Interval

    from .language import Language
    from .timeline import Span, Timeline

OUTCOMES = ("succeeded", "failed", "expired", "cancelled")
HEIGHT = 132
"""Height of a chart in CSS pixels, its labels included."""

MAX_RUN_SHARE = 82.0
"""Percentage of a job's bar for its queues and runs; the rest shows what was left of the lease."""

_TOP, _BOTTOM = 8, HEIGHT - 20
_STEP = 100 / INTERVALS  # percent
_MAX_GAP = 2  # intervals that a line bridges
_MIN_SPAN = 0.4  # percent; a shorter span could not be seen
_TICKS = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 60.0, 600.0, 3600.0, 36000.0)  # seconds


@dataclass(frozen=True, slots=True)
class _Point:
    x: float  # percent
    interval: Interval
    median: float  # seconds
    slow: float  # seconds


def throughput_chart(intervals: Sequence[Interval], language: Language) -> Markup:
    """Draw how many jobs ended in each interval, stacked by outcome.

    Args:
        intervals: What ended, oldest first.
        language: The page's language.

    Returns:
        The SVG.
    """
    top = _round_up(max(interval.outcomes.total() for interval in intervals))
    levels = [(_y(top, top), f"{top:,}"), (_y(top / 2, top), f"{top / 2:,g}")]
    parts = []
    for place, interval in enumerate(intervals):
        if not interval.outcomes:
            continue
        parts.append(Markup("<g><title>{}</title>").format(_sum_up(interval, language)))
        below = 0
        for outcome in OUTCOMES:
            number = interval.outcomes[outcome]
            if number:
                y = _y(below + number, top)
                parts.append(
                    _rect(place * _STEP + 0.1, y, _STEP - 0.2, _y(below, top) - y, outcome)
                )
                below += number
        parts.append(Markup("</g>"))
    total = sum(interval.outcomes.total() for interval in intervals)
    label = language.count("chart.throughput_label", total)
    return _chart(label, levels, parts, language)


def latency_chart(intervals: Sequence[Interval], language: Language) -> Markup:
    """Draw the median and the 95th percentile of the time to success, on a logarithmic scale.

    Args:
        intervals: What ended, oldest first.
        language: The page's language.

    Returns:
        The SVG.
    """
    points = [
        _Point(place * _STEP + _STEP / 2, interval, median, slow)
        for place, interval in enumerate(intervals)
        if (median := interval.percentile(0.5)) is not None
        and (slow := interval.percentile(0.95)) is not None
    ]
    low, high = _limits([time for point in points for time in (point.median, point.slow)])

    def y(seconds: float) -> float:
        share = math.log(max(seconds, low) / low) / math.log(high / low)
        return _BOTTOM - share * (_BOTTOM - _TOP)

    levels = [(y(tick), length(tick, language)) for tick in _TICKS if low <= tick <= high]
    parts = []
    for one, next_one in pairwise(points):
        if next_one.interval.number - one.interval.number <= _MAX_GAP:
            parts.append(_line("p95", one.x, y(one.slow), next_one.x, y(next_one.slow)))
            parts.append(_line("p50", one.x, y(one.median), next_one.x, y(next_one.median)))
    for point in points:
        said = language(
            "chart.latency_point",
            time=_clock(point.interval),
            median=length(point.median, language),
            slow=length(point.slow, language),
        )
        parts.append(
            Markup("<g><title>{}</title>{}{}</g>").format(
                said, _dot("p95", point.x, y(point.slow)), _dot("p50", point.x, y(point.median))
            )
        )
    if points:
        label = language(
            "chart.latency_label",
            median=length(points[-1].median, language),
            slow=length(points[-1].slow, language),
        )
    else:
        label = language("chart.latency_empty")
    return _chart(label, levels, parts, language)


def attempt_bars(timeline: Timeline, language: Language) -> list[Markup]:
    """Draw one bar for each attempt of a job: queue, run and lease margin on one scale.

    Args:
        timeline: The job's history.
        language: The page's language.

    Returns:
        An SVG for each of the timeline's groups.
    """
    scale = MAX_RUN_SHARE / max(timeline.length, 1e-3)
    bars = []
    for group in timeline.groups:
        parts = []
        for span in group.spans:
            start = min(span.start * scale, 100 - _MIN_SPAN)
            width = min(max(span.length * scale, _MIN_SPAN), 100 - start)
            said = language(f"span.{span.kind}", length=length(span.length, language))
            kind = f"{span.kind} {group.status}" if span.kind == "run" else span.kind
            parts.append(
                Markup("<g><title>{}</title>{}</g>").format(said, _rect(start, 0, width, 12, kind))
            )
        label = language("chart.attempt_label", spans=_listed(group.spans, language))
        bars.append(
            Markup('<svg class="bar" role="img" aria-label="{}" height="12">{}</svg>').format(
                label, Markup("").join(parts)
            )
        )
    return bars


def _listed(spans: Iterable[Span], language: Language) -> Markup:
    said = [language(f"span.{one.kind}", length=length(one.length, language)) for one in spans]
    return Markup(", ").join(said)


def _chart(
    label: Markup,
    levels: Sequence[tuple[float, str]],
    parts: Iterable[Markup],
    language: Language,
) -> Markup:
    minutes = round(INTERVAL * INTERVALS / 60)
    axis = [
        Markup('<text x="{}%" y="{}" class="{}">{}</text>').format(
            at,
            HEIGHT - 5,
            anchor,
            language("chart.now") if not back else language("chart.back", number=back),
        )
        for at, back, anchor in (
            (0, minutes, "start"),
            (33.3, round(minutes * 2 / 3), "middle"),
            (66.7, round(minutes / 3), "middle"),
            (100, 0, "end"),
        )
    ]
    ground = Markup('<line class="ground" x1="0" x2="100%" y1="{0}" y2="{0}"/>').format(_BOTTOM)
    lines = [
        Markup('<line class="level" x1="0" x2="100%" y1="{0:.1f}" y2="{0:.1f}"/>').format(y)
        for y, _ in levels
    ]
    # beside the plot, in the padding that the style sheet gives it
    labels = [
        Markup('<text x="-6" y="{:.1f}" class="end">{}</text>').format(y + 4, said)
        for y, said in levels
    ]
    return Markup('<svg class="chart" role="img" aria-label="{}" height="{}">{}</svg>').format(
        label, HEIGHT, Markup("").join([*lines, *labels, *parts, ground, *axis])
    )


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    return Markup('<line class="{}" x1="{:.2f}%" y1="{:.1f}" x2="{:.2f}%" y2="{:.1f}"/>').format(
        kind, x1, y1, x2, y2
    )


def _dot(kind: str, x: float, y: float) -> Markup:
    return Markup('<circle class="{}" cx="{:.2f}%" cy="{:.1f}" r="2"/>').format(kind, x, y)


def _rect(x: float, y: float, width: float, height: float, kind: str) -> Markup:
    return Markup(
        '<rect class="{}" x="{:.2f}%" y="{:.1f}" width="{:.2f}%" height="{:.1f}"/>'
    ).format(kind, x, y, width, height)


def _y(number: float, top: float) -> float:
    return _BOTTOM - number / top * (_BOTTOM - _TOP)


def _round_up(number: float) -> int:
    """Return the next of 2, 4, 10, 20, 40, 100, …, so that half of it is whole."""
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
    seconds = int(interval.start) % 86400
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02} UTC"


def _sum_up(interval: Interval, language: Language) -> Markup:
    outcomes = [
        Markup("{} {:,}").format(language(f"status.{outcome}"), interval.outcomes[outcome])
        for outcome in OUTCOMES
        if interval.outcomes[outcome]
    ]
    return Markup("{} · {}").format(_clock(interval), Markup(", ").join(outcomes))
