"""The worker's own loggers: no logging handler can break them, and no text from outside the log."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from chaojiyuyan_core.errors import HebingAPIError
from chaojiyuyan_core.redaction import mask_keys
from chaojiyuyan_core.text import escape_text

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    Adapter = logging.LoggerAdapter[logging.Logger]
else:
    Adapter = logging.LoggerAdapter  # generic at run time from Python 3.11 on

MAX_TEXT_CHARS = 1000
"""Maximum length of a text from a server or a handler in a log line, in characters."""


class SafeLogger(Adapter):
    """A logger for the worker's own threads: a handler that raises costs a line and no thread.

    The texts of a message and of its ``extra`` are bounded.
    """

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Log a message as ``Logger.log`` does, and drop what a handler raises."""
        if self.logger.isEnabledFor(level):
            kwargs.setdefault("stacklevel", 2)
            with suppress(Exception):
                extra = kwargs.get("extra") or {}
                kwargs["extra"] = {name: _bound(value) for name, value in extra.items()}
                self.logger.log(level, msg, *map(_bound, args), **kwargs)

    def process(
        self, msg: object, kwargs: MutableMapping[str, Any]
    ) -> tuple[object, MutableMapping[str, Any]]:
        """Leave a message as it is."""
        return msg, kwargs


def get_logger(name: str) -> SafeLogger:
    """Return the logger of a module.

    Args:
        name: The module's name.
    """
    return SafeLogger(logging.getLogger(name), {})


def bound_text(text: str) -> str:
    """Return a text from outside as a log line may show it: one short line without a key.

    Args:
        text: What a server or a handler says.
    """
    # What is cut off may begin with the key.
    return escape_text(mask_keys(text[: 2 * MAX_TEXT_CHARS]), MAX_TEXT_CHARS)


def _bound(value: object) -> object:
    return bound_text(value) if isinstance(value, str) else value


def describe(error: Exception) -> str:
    """Return a line about an error; those of the wire often have no text of their own.

    Args:
        error: The error.
    """
    return str(error) if isinstance(error, HebingAPIError) else f"{type(error).__name__}: {error}"
