"""Values as a page shows them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from jinja2 import pass_context
from markupsafe import Markup, escape

from chaojiyuyan_devserver.kernel.wire import timestamp

if TYPE_CHECKING:
    from jinja2.runtime import Context

LONGEST_JSON = 100_000  # characters that a page shows

_TOKEN = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*")(?=:)'
    r'|(?P<string>"(?:[^"\\]|\\.)*")'
    r"|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
    r"|(?P<word>true|false|null)"
)


def nc(amount: int | None) -> str:
    """Money: ``10,000 nc``."""
    return "–" if amount is None else f"{amount:,} nc".replace("-", "−")


def duration(seconds: float) -> str:
    """A length of time, short: ``12 ms``, ``3.4 s``, ``5 min``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return _rough(seconds)


def relative(seconds: float) -> str:
    """How far away a moment is; below zero is the past. ``console.js`` says it in the same way."""
    if abs(seconds) < 1:
        return "now"
    return f"{_rough(-seconds)} ago" if seconds < 0 else f"in {_rough(seconds)}"


def _rough(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds // 1:.0f} s"


@pass_context
def when(context: Context, at: float | None) -> str:
    """A moment, told from now; the exact time on hovering."""
    if at is None:
        return "–"
    return Markup('<time datetime="{0}" title="{0}" data-when>{1}</time>').format(
        timestamp(at), relative(at - context["now"])
    )


def exact(at: float | None) -> str:
    """A moment as date and time in UTC, to the second."""
    return "–" if at is None else timestamp(at)[:19].replace("T", " ") + " UTC"


def pretty(value: Any) -> Markup:
    """JSON, indented, its tokens marked for the style sheet; cut where it is very long."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    if len(text) > LONGEST_JSON:
        return escape(text[:LONGEST_JSON]) + "\n…"
    parts: list[Markup] = []
    end = 0
    for match in _TOKEN.finditer(text):
        parts.append(escape(text[end : match.start()]))
        parts.append(Markup('<span class="{}">{}</span>').format(match.lastgroup, match.group()))
        end = match.end()
    return Markup("").join([*parts, escape(text[end:])])


def compact(value: Any) -> str:
    """JSON in one line, for a value among others; a string as it is."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


FILTERS = {
    "nc": nc,
    "duration": duration,
    "when": when,
    "exact": exact,
    "pretty": pretty,
    "compact": compact,
}
