"""Make text from outside safe for a terminal, a log or a language model.

A server, a job or an artifact can contain any character. Control characters can control a terminal
or add false lines to a log. Bidirectional controls reorder the visible text (CVE-2021-42574). Tag
characters contain text that only a model sees.
"""

from __future__ import annotations

import re

_TAGS = "\U000e0000-\U000e007f"
_BIDIRECTIONAL = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_SEPARATORS = "\u2028\u2029"
_CONTROLS = "\x00-\x1f\x7f-\x9f"  # C0, DEL and C1
_SURROGATES = "\ud800-\udfff"  # unpaired in a str, so no encoding can write them

_UNSAFE = re.compile(f"[{_CONTROLS}{_SEPARATORS}{_BIDIRECTIONAL}{_TAGS}{_SURROGATES}]")
_INVISIBLE = re.compile(f"[{_BIDIRECTIONAL}{_TAGS}]")
_ELLIPSIS = "…"


def escape_text(text: str, max_chars: int | None = None, *, keep: str = "") -> str:
    r"""Escape the characters that are unsafe on a terminal or in a log.

    Control characters (C0, DEL, C1), line and paragraph separators, bidirectional controls, tag
    characters and unpaired surrogates become JSON escapes, such as ``\u001b``. JSON text therefore
    keeps its value, if ``keep`` includes the newlines of its layout.

    Args:
        text: Any text.
        max_chars: Maximum length of the result in characters, at least 1. A longer text ends in
            ``…``. None does not cut.
        keep: Characters that are not escaped, for example a newline.

    Returns:
        The escaped text.
    """
    unsafe = _UNSAFE if not keep else re.compile(f"(?![{re.escape(keep)}]){_UNSAFE.pattern}")
    if max_chars is None:
        return unsafe.sub(_escape_match, text)
    # Escapes are never shorter than their characters, so the text after the limit is not needed.
    start = text[: max_chars + 1]
    whole = unsafe.sub(_escape_match, start)
    if len(whole) <= max_chars:
        return whole
    escaped = [unsafe.sub(_escape_match, character) for character in start]  # cut between two
    length = len(whole)
    while length > max_chars - len(_ELLIPSIS):
        length -= len(escaped.pop())
    return "".join(escaped) + _ELLIPSIS


def strip_invisible(text: str, max_chars: int | None = None) -> str:
    """Remove the characters that can hide text from a person but not from a language model.

    These are tag characters and bidirectional controls. Control characters stay, because they are
    harmless for a model, and newlines and tabs are ordinary text.

    Args:
        text: Any text.
        max_chars: Maximum length of the result in characters, at least 1. A longer text ends in
            ``…``. None does not cut.

    Returns:
        The text without these characters.
    """
    visible = _INVISIBLE.sub("", text)
    if max_chars is None or len(visible) <= max_chars:
        return visible
    return visible[: max_chars - len(_ELLIPSIS)] + _ELLIPSIS


def _escape_match(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)  # JSON writes such a character as a UTF-16 pair
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
