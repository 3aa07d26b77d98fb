"""Write counters, gauges and histograms in the Prometheus text format (version 0.0.4)."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""The media type of the format."""

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class Histogram:
    """A histogram with fixed upper bounds. It is not thread-safe.

    Args:
        bounds: The upper bounds in ascending order, without infinity.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count an observation.

        Args:
            value: The observed value.
        """
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def render(self, name: str, text: str) -> Iterator[str]:
        """Yield the lines of the histogram.

        Args:
            name: The name of the metric.
            text: The description of the metric.
        """
        yield from _head(name, text, "histogram")
        total = 0
        for bound, count in zip([*map(repr, self._bounds), "+Inf"], self._counts, strict=True):
            total += count
            yield sample(f"{name}_bucket", total, {"le": bound})
        yield sample(f"{name}_sum", self._sum)
        yield sample(f"{name}_count", total)


def metric(
    kind: str, name: str, text: str, samples: Iterable[tuple[Mapping[str, str], float]]
) -> Iterator[str]:
    """Yield the lines of a counter or a gauge.

    Args:
        kind: ``counter`` or ``gauge``.
        name: The name of the metric.
        text: The description of the metric.
        samples: The labels and the value of each series.
    """
    yield from _head(name, text, kind)
    for labels, value in samples:
        yield sample(name, value, labels)


def sample(name: str, value: float, labels: Mapping[str, str] | None = None) -> str:
    """Return the line of one series.

    Args:
        name: The name of the metric.
        value: The value of the series.
        labels: The labels of the series. The values are escaped here.
    """
    pairs = ",".join(f'{key}="{text.translate(_ESCAPES)}"' for key, text in (labels or {}).items())
    return f"{name}{{{pairs}}} {value}" if pairs else f"{name} {value}"


def _head(name: str, text: str, kind: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"
