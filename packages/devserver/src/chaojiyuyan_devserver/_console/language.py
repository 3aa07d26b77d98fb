"""The console's languages, one message catalog each; the browser's preference chooses."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from markupsafe import Markup


@dataclass(frozen=True)
class Language:
    """One language of the console.

    Attributes:
        code: The value of the page's ``lang`` attribute.
        messages: The texts by key. They are trusted HTML with ``{named}`` placeholders.
    """

    code: str
    messages: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> Markup:
        """Return a message as HTML. The values are escaped unless they are ``Markup``."""
        return Markup(self.messages[key]).format(**values)  # noqa: S704 - the catalog is trusted

    def count(self, key: str, number: int) -> Markup:
        """Return the form of a message, ``.one`` or ``.other``, that agrees with ``{number}``."""
        form = "one" if number == 1 else "other"
        return self(f"{key}.{form}", number=f"{number:,}")

    def name(self, prefix: str, word: str) -> Markup | str:
        """Return the message for a word of the API, or the word itself if there is no message.

        Args:
            prefix: The group of messages, for example ``status``.
            word: The word, for example ``bidding``.
        """
        return self(f"{prefix}.{word}") if f"{prefix}.{word}" in self.messages else word


def _load(code: str, name: str) -> Language:
    path = resources.files(__package__).joinpath("messages").joinpath(f"{name}.json")
    return Language(code, json.loads(path.read_text(encoding="utf-8")))


ENGLISH = _load("en", "en")
CHINESE = _load("zh-Hans", "zh")
_BY_TAG = {"en": ENGLISH, "zh": CHINESE}


def choose_language(accept_language: str) -> Language:
    """Return the browser's preferred language (RFC 9110, section 12.5.4), English by default."""
    best, best_weight = ENGLISH, 0.0
    for part in accept_language.split(","):
        tag, _, weight = part.strip().partition(";")
        language = _BY_TAG.get(tag.strip().lower().partition("-")[0])
        if language is not None and (parsed := _weight(weight)) > best_weight:
            best, best_weight = language, parsed
    return best


def _weight(text: str) -> float:
    name, _, value = text.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
