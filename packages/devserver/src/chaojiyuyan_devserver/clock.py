"""The kernel's time: real, but it can be moved forward."""

from __future__ import annotations

import time


class Clock:
    """Seconds since the epoch, never going back while the process lives.

    Args:
        offset: how many seconds it is ahead of the machine's clock.
    """

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset
        self._base = time.time() - time.monotonic()

    def __call__(self) -> float:
        """The time now."""
        return self._base + time.monotonic() + self.offset

    def advance(self, seconds: float) -> None:
        """Move ahead."""
        self.offset += seconds
