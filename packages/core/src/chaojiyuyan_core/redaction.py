"""Agent keys made unreadable in errors, logs, pickles and terminals.

:func:`mask_keys` masks whatever looks like an agent key, and every key that a :class:`Redactor` of
this process knows, in each encoding that an answer may echo: percent-encoded, as JSON, HTML or
Python escapes, in hex and in base64.
"""

from __future__ import annotations

import base64
import re
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

MIN_SECRET_LENGTH = 6
"""Characters. A shorter key is not replaced: it would occur in ordinary words."""

MAX_DEPTH = 50
"""Levels of a JSON value that are looked through; what lies deeper is dropped."""

_KEY = re.compile(r"\bnxt_[A-Za-z0-9_\-]{4,}")


def mask_key(key: str) -> str:
    """Return ``nxt_…cret`` for a key: enough to recognise it, too little to use it.

    Args:
        key: The agent key.
    """
    if len(key) < 12:
        return "…"
    return f"{key[:4]}…{key[-4:]}"


def mask_keys(text: str) -> str:
    """Return the text with every agent key in it masked.

    Args:
        text: Such as a log line or the message of an error.
    """
    # The list is made in one step: another thread may make a client at this moment.
    alive = [redactor for each in _redactors.valuerefs() if (redactor := each()) is not None]
    for redactor in {redactor._key: redactor for redactor in alive}.values():
        text = redactor.replace(text)
    return _KEY.sub(lambda match: mask_key(match.group()), text)


def mask_values(value: T) -> T:
    """Return a JSON value with every agent key masked in each of its texts.

    Args:
        value: What ``json.loads`` returns.
    """
    return _map_texts(value, mask_keys)


class Redactor:
    """Removes one key, in every encoding, from what leaves the process.

    Args:
        key: The agent key; None or a very short one removes only what looks like an agent key.
    """

    def __init__(self, key: str | None) -> None:
        self._key = key if key and len(key) >= MIN_SECRET_LENGTH else None
        if self._key:
            _redactors[id(self)] = self

    def __repr__(self) -> str:
        """Show the key masked."""
        return f"<Redactor {mask_key(self._key or '')}>"

    def __reduce__(self) -> tuple[type[Redactor], tuple[None]]:
        """Pickle without the key."""
        return Redactor, (None,)

    def text(self, text: str) -> str:
        """Return the text with the key, and whatever looks like one, masked.

        Args:
            text: Any text.
        """
        return _KEY.sub(lambda match: mask_key(match.group()), self.replace(text))

    def replace(self, text: str) -> str:
        """Return the text with this key masked, in whatever encoding it stands there.

        Args:
            text: Any text.
        """
        if self._key is None:
            return text
        masked = mask_key(self._key)
        return self._pattern.sub(lambda _: masked, text)  # a text would be read as a template

    def value(self, value: T) -> T:
        """Return a JSON value with the key masked in each of its texts.

        Args:
            value: What ``json.loads`` returns.
        """
        return _map_texts(value, self.text)

    def body(self, content: bytes) -> bytes:
        """Return the bytes of an answer with the key masked.

        Args:
            content: The body, in any encoding that keeps ASCII as it is.
        """
        text = content.decode("utf-8", "surrogateescape")
        return self.text(text).encode("utf-8", "surrogateescape")

    def exception(self, error: BaseException) -> None:
        """Mask the key in the texts of an exception, and of those that led to it.

        Args:
            error: The exception; it is changed in place.
        """
        for each in _chain(error):
            each.args = tuple(self._argument(argument) for argument in each.args)

    def _argument(self, argument: object) -> object:
        if isinstance(argument, str):
            return self.text(argument)
        if isinstance(argument, (bytes, bytearray)):
            return self.body(bytes(argument))
        return argument

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """All forms of the key; compiled when the first text is to be cleaned."""
        key = (self._key or "").encode()
        forms = [key.decode(), key.hex(), *_base64_forms(key)]
        return re.compile("|".join(_escaped_forms(form) for form in forms), re.IGNORECASE)


_redactors: WeakValueDictionary[int, Redactor] = WeakValueDictionary()


def _map_texts(value: T, change: Callable[[str], str], depth: int = 0) -> T:
    """A JSON value with each of its texts changed; what lies below MAX_DEPTH is dropped."""
    changed: object = value
    if isinstance(value, str):
        changed = change(value)
    elif isinstance(value, (dict, list)) and depth >= MAX_DEPTH:
        changed = None
    elif isinstance(value, dict):
        changed = {
            _map_texts(name, change, depth + 1): _map_texts(item, change, depth + 1)
            for name, item in value.items()
        }
    elif isinstance(value, list):
        changed = [_map_texts(item, change, depth + 1) for item in value]
    return changed  # type: ignore[return-value]


def _base64_forms(key: bytes) -> Iterator[str]:
    """The base64 of the key at each offset, without the digits that its neighbours share."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + key).decode()
        start = (8 * before + 5) // 6
        end = 8 * (before + len(key)) // 6
        yield encoded[start:end]


def _escaped_forms(text: str) -> str:
    """A pattern for the text, each character of it as it is or in one of the usual escapes.

    Every repetition is bounded: a hostile text takes a time that grows with its length only.
    """
    return "".join(map(_escaped_form, text))


def _escaped_form(char: str) -> str:
    code = ord(char)
    alternatives = [
        re.escape(char),
        rf"%(?:25){{0,4}}{code:02x}",  # RFC 3986, also of itself
        rf"\\{{1,8}}(?:u00|x){code:02x}",  # JSON, JavaScript, Python
        rf"&\#(?:0{{0,6}}{code}|x0{{0,6}}{code:x});?",  # HTML
    ]
    if char == "/":
        alternatives += ["_", r"\\{1,8}/"]  # base64url; JSON
    elif char == "+":
        alternatives += ["-"]  # base64url
    return f"(?:{'|'.join(alternatives)})"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception, its causes and its contexts, each once."""
    left, seen = [error], set()
    while left:
        each = left.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        left += [other for other in (each.__cause__, each.__context__) if other is not None]
