"""The worker's own loggers, which are safe against failing log handlers and hostile texts."""

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
"""Maximum characters of a text from a server or a handler in a log line."""


class SafeLogger(Adapter):
    """A logger for the worker's own threads. A failing log handler loses a line but no thread.

    Texts in a message and in its ``extra`` are escaped and cut.
    """

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Log a message like ``Logger.log``, and ignore exceptions of log handlers."""
        if self.logger.isEnabledFor(level):
            kwargs.setdefault("stacklevel", 2)
            with suppress(Exception):
                extra = kwargs.get("extra") or {}
                kwargs["extra"] = {name: _bound(value) for name, value in extra.items()}
                self.logger.log(level, msg, *map(_bound, args), **kwargs)

    def process(
        self, msg: object, kwargs: MutableMapping[str, Any]
    ) -> tuple[object, MutableMapping[str, Any]]:
        """Return the message unchanged."""
        return msg, kwargs


def get_logger(name: str) -> SafeLogger:
    """Return the logger of a module.

    Args:
        name: The name of the module.
    """
    return SafeLogger(logging.getLogger(name), {})


def bound_text(text: str) -> str:
    """Return a text from outside as one short line without a key, for the log.

    Args:
        text: The text of a server or a handler.
    """
    # Cut later again, because this cut may divide a key.
    return escape_text(mask_keys(text[: 2 * MAX_TEXT_CHARS]), MAX_TEXT_CHARS)


def _bound(value: object) -> object:
    return bound_text(value) if isinstance(value, str) else value


def describe(error: Exception) -> str:
    """Return one line about an error, with its type, because some errors have no message.

    Args:
        error: The error.
    """
    return str(error) if isinstance(error, HebingAPIError) else f"{type(error).__name__}: {error}"
