"""The kernel's clock: the machine's time plus an offset that can be set."""

import time


class Clock:
    """Seconds since the epoch; never goes back unless it is set.

    Attributes:
        offset: How many seconds it is ahead of the machine's clock.
    """

    def __init__(self) -> None:
        self.offset = 0.0
        self._base = time.time() - time.monotonic()

    def __call__(self) -> float:
        """Return the time now."""
        return self._base + time.monotonic() + self.offset

    def set(self, at: float) -> None:
        """Set the clock to ``now``, in seconds since the epoch."""
        self.offset += at - self()
