"""Format values for a page, in its language."""

import json
import re
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from chaojiyuyan_devserver.kernel.views import timestamp

from .language import Language

MAX_JSON = 100_000
"""How many characters of a JSON value a page shows."""

_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
_TOKEN = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*")(?=:)'
    r'|(?P<string>"(?:[^"\\]|\\.)*")'
    r"|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
    r"|(?P<word>true|false|null)"
)


def nc(amount: int | None) -> str:
    """Return an amount of credits, such as ``10,000 nc``."""
    return "–" if amount is None else f"{amount:,} nc".replace("-", "−")


def length(seconds: float, language: Language) -> Markup:
    """Return a length of time such as ``12 ms``, ``3.4 s``, ``4 min 20 s`` or ``2 h 5 min``."""
    if seconds < 1:
        return language("unit.ms", number=f"{max(seconds, 0) * 1000:.0f}")
    if seconds < 60:
        tenths = int(seconds * 10) / 10  # rounded down, so that 59.96 s does not become 60.0 s
        return language("unit.s", number=f"{tenths:.1f}".removesuffix(".0"))
    units = [(unit, size) for unit, size in _UNITS if seconds >= size]
    (unit, size), *rest = units
    text = language(f"unit.{unit}", number=f"{seconds // size:.0f}")
    if rest and (left := seconds % size // rest[0][1]):
        text += " " + language(f"unit.{rest[0][0]}", number=f"{left:.0f}")
    return text


def offset(seconds: float) -> str:
    """Return a time since the start of a job, in seconds or as h:mm:ss."""
    if seconds < 100:
        return f"{seconds:.2f} s"
    if seconds < 3600:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def relative(seconds: float, language: Language) -> Markup:
    """Return a moment relative to now, such as ``5 s ago``; ``console.js`` does the same."""
    far = abs(seconds)
    if far < 1:
        return language("time.now")
    unit, size = next((unit, size) for unit, size in _UNITS if far >= size)
    text = language(f"unit.{unit}", number=f"{far // size:.0f}")
    return language("time.ago" if seconds < 0 else "time.in", length=text)


def exact(at: float | None) -> str:
    """Return a moment as date and time in UTC, to the second."""
    return "–" if at is None else timestamp(at)[:19].replace("T", " ") + " UTC"


def pretty(value: Any) -> Markup:
    """Return indented JSON with its tokens marked for the style sheet; very long JSON is cut."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    if len(text) > MAX_JSON:
        return escape(text[:MAX_JSON]) + "\n…"
    parts: list[Markup] = []
    end = 0
    for match in _TOKEN.finditer(text):
        parts.append(escape(text[end : match.start()]))
        parts.append(Markup('<span class="{}">{}</span>').format(match.lastgroup, match.group()))
        end = match.end()
    return Markup("").join([*parts, escape(text[end:])])


def compact(value: Any) -> str:
    """Return JSON in one line; a string is returned without quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@pass_context
def _length(context: Context, seconds: float) -> Markup:
    return length(seconds, context["t"])


@pass_context
def _when(context: Context, at: float | None) -> Markup | str:
    """Return a moment relative to now as HTML, with the exact time as a tooltip."""
    if at is None:
        return "–"
    return Markup('<time datetime="{}" title="{}" data-when>{}</time>').format(
        timestamp(at), exact(at), relative(at - context["now"], context["t"])
    )


FILTERS = {
    "nc": nc,
    "length_of": _length,
    "offset": offset,
    "when": _when,
    "exact": exact,
    "pretty": pretty,
    "compact": compact,
}
