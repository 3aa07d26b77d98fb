"""Mask agent keys in errors, logs, pickles and terminals.

:func:`mask_keys` masks every text that looks like an agent key, and the key of every
:class:`Redactor` in this process. It finds the keys of a Redactor in each encoding that a response
may echo: percent-encoding, JSON, HTML and Python escapes, hex and base64.
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
"""Minimum characters of a key that is masked. A shorter key would match ordinary words."""

MAX_DEPTH = 50
"""Maximum levels of a JSON value that are searched. Deeper levels are removed."""

_KEY = re.compile(r"\bnxt_[A-Za-z0-9_\-]{4,}")


def mask_key(key: str) -> str:
    """Return a masked key such as ``nxt_…cret``, which can be recognised but not used.

    Args:
        key: The agent key.
    """
    if len(key) < 12:
        return "…"
    return f"{key[:4]}…{key[-4:]}"


def mask_keys(text: str) -> str:
    """Return a text with every agent key masked.

    Args:
        text: The text, such as a log line or an error message.
    """
    # valuerefs() returns a list atomically, because another thread may add a Redactor.
    alive = [redactor for each in _redactors.valuerefs() if (redactor := each()) is not None]
    for redactor in {redactor._key: redactor for redactor in alive}.values():
        text = redactor.replace(text)
    return _KEY.sub(lambda match: mask_key(match.group()), text)


def mask_values(value: T) -> T:
    """Return a JSON value with every agent key masked in all strings.

    Args:
        value: A value from ``json.loads``.
    """
    return _map_texts(value, mask_keys)


class Redactor:
    """Masks one key in every encoding.

    Args:
        key: The agent key. With None or a very short key, only texts that look like an agent key
            are masked.
    """

    def __init__(self, key: str | None) -> None:
        self._key = key if key and len(key) >= MIN_SECRET_LENGTH else None
        if self._key:
            _redactors[id(self)] = self

    def __repr__(self) -> str:
        """Return a text with the masked key."""
        return f"<Redactor {mask_key(self._key or '')}>"

    def __reduce__(self) -> tuple[type[Redactor], tuple[None]]:
        """Pickle without the key."""
        return Redactor, (None,)

    def text(self, text: str) -> str:
        """Return a text with the key, and texts that look like an agent key, masked.

        Args:
            text: Any text.
        """
        return _KEY.sub(lambda match: mask_key(match.group()), self.replace(text))

    def replace(self, text: str) -> str:
        """Return a text with this key masked in every encoding.

        Args:
            text: Any text.
        """
        if self._key is None or len(text) < len(self._key):  # no encoding is shorter than the key
            return text
        masked = mask_key(self._key)
        # A function, because backslashes in a string would be interpreted.
        return self._pattern.sub(lambda _: masked, text)

    def value(self, value: T) -> T:
        """Return a JSON value with the key masked in all strings.

        Args:
            value: A value from ``json.loads``.
        """
        return _map_texts(value, self.text)

    def body(self, content: bytes) -> bytes:
        """Return the bytes of a body with the key masked.

        Args:
            content: The body, in any encoding that is compatible with ASCII.
        """
        text = content.decode("utf-8", "surrogateescape")
        return self.text(text).encode("utf-8", "surrogateescape")

    def exception(self, error: BaseException) -> None:
        """Mask the key in the arguments of an exception, its causes and its contexts.

        Args:
            error: The exception, which is changed in place.
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
        """A pattern of all encodings of the key, compiled on first use."""
        key = (self._key or "").encode()
        forms = [key.decode(), key.hex(), *_base64_forms(key)]
        return re.compile("|".join(_escaped_forms(form) for form in forms), re.IGNORECASE)


_redactors: WeakValueDictionary[int, Redactor] = WeakValueDictionary()


def _map_texts(value: T, change: Callable[[str], str], depth: int = 0) -> T:
    """Return a JSON value with all strings changed and levels below MAX_DEPTH removed."""
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
    """Yield the base64 of the key at each byte offset, without digits that encode other bytes."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + key).decode()
        start = (8 * before + 5) // 6
        end = 8 * (before + len(key)) // 6
        yield encoded[start:end]


def _escaped_forms(text: str) -> str:
    """Return a pattern for a text in which each character may be escaped.

    Every repetition is limited, so that matching a hostile text takes linear time.
    """
    return "".join(map(_escaped_form, text))


def _escaped_form(char: str) -> str:
    code = ord(char)
    alternatives = [
        re.escape(char),
        rf"%(?:25){{0,4}}{code:02x}",  # RFC 3986, also encoded repeatedly
        rf"\\{{1,8}}(?:u00|x){code:02x}",  # JSON, JavaScript, Python
        rf"&\#(?:0{{0,6}}{code}|x0{{0,6}}{code:x});?",  # HTML
    ]
    if char == "/":
        alternatives += ["_", r"\\{1,8}/"]  # base64url; JSON
    elif char == "+":
        alternatives += ["-"]  # base64url
    return f"(?:{'|'.join(alternatives)})"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the exception, its causes and its contexts, each once."""
    left, seen = [error], set()
    while left:
        each = left.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        left += [other for other in (each.__cause__, each.__context__) if other is not None]
