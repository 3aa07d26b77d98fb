"""The worker's own loggers, which no logging handler of the application can break."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    Adapter = logging.LoggerAdapter[logging.Logger]
else:
    Adapter = logging.LoggerAdapter  # generic at run time from Python 3.11 on


class SafeLogger(Adapter):
    """A logger for the worker's own threads: a handler that raises costs a line and no thread."""

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Log a message as ``Logger.log`` does, and drop what a handler raises."""
        if self.logger.isEnabledFor(level):
            kwargs.setdefault("stacklevel", 2)
            with suppress(Exception):
                self.logger.log(level, msg, *args, **kwargs)

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
