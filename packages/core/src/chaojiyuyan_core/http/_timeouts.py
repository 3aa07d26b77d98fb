"""Timeouts of a request: for each phase, and in total."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, NamedTuple, Union

if TYPE_CHECKING:
    import httpx

TimeoutTypes = Union[float, None, tuple[float | None, ...], "httpx.Timeout"]
"""A timeout in any form that httpx accepts."""

MAX_CALL_SECONDS = 300.0
"""Default maximum seconds of a whole attempt."""

MAX_SECONDS = 1e8
"""Maximum timeout in seconds, about three years. Some systems cannot wait longer."""


def check_seconds(name: str, value: float) -> float:
    """Return a valid number of seconds, 0 or more.

    Args:
        name: The name of the argument, for the error.
        value: The number of seconds.

    Raises:
        TypeError: The value is not a number.
        ValueError: The value is negative, NaN, infinite or more than three years.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number of seconds, not {type(value).__name__}")
    if not 0 <= value <= MAX_SECONDS:  # NaN compares false
        raise ValueError(f"{name} must be from 0 to {MAX_SECONDS:.0f} seconds, not {value!r}")
    return value


class Timeouts(NamedTuple):
    """The timeouts of the phases of a request in seconds; None for no limit except the total.

    Attributes:
        connect: Maximum seconds to connect, including TLS.
        read: Maximum seconds between two parts of the response.
        write: Maximum seconds between two parts of the request.
        pool: Maximum seconds to wait for a free connection.
    """

    connect: float | None
    read: float | None
    write: float | None
    pool: float | None

    @classmethod
    def parse(cls, value: TimeoutTypes) -> Timeouts:
        """Read a timeout in any form that httpx accepts.

        Args:
            value: Seconds for each phase, None for no limit, an ``httpx.Timeout``, or a tuple
                ``(connect, read, write, pool)``, of which the last two may be missing.

        Raises:
            TypeError: The value has none of these forms.
            ValueError: A number of seconds is 0, negative, NaN or infinite.
        """
        if value is None or isinstance(value, (int, float)):
            parts: tuple[float | None, ...] = (value,) * 4
        elif isinstance(value, tuple) and 2 <= len(value) <= 4:
            parts = (*value, None, None)[:4]
        elif all(hasattr(value, name) for name in cls._fields):
            parts = tuple(getattr(value, name) for name in cls._fields)
        else:
            raise TypeError(
                "timeout must be seconds, None, an httpx.Timeout or a tuple of 2 to 4 of them,"
                f" not {value!r}"
            )
        for part in parts:
            if part is not None and check_seconds("timeout", part) == 0:
                raise ValueError("timeout must be more than 0 seconds")
        return cls(*parts)

    def extended(self, seconds: float) -> Timeouts:
        """Return timeouts with a longer read timeout, for a long-poll.

        Args:
            seconds: The maximum seconds of the long-poll.
        """
        read = None if self.read is None else self.read + seconds
        return self._replace(read=read)

    @property
    def total(self) -> float:
        """Maximum seconds of a whole attempt without its own timeout."""
        return max(MAX_CALL_SECONDS, *(part or 0.0 for part in self))


class Deadline:
    """The deadline of an attempt.

    Attributes:
        ends: The end in seconds of the monotonic clock.
    """

    __slots__ = ("ends",)

    def __init__(self, ends: float = math.inf) -> None:
        self.ends = ends

    def pass_now(self) -> None:
        """Move the end into the past."""
        self.ends = -math.inf

    def left(self, timeout: float | None, fault: type[Exception]) -> float:
        """Return the maximum seconds of the next step.

        Args:
            timeout: The timeout of the step in seconds; None allows all remaining time.
            fault: The exception to raise when the deadline has passed.
        """
        seconds = self.ends - time.monotonic()
        if seconds <= 0:
            raise fault("The total time of the attempt is over")
        return seconds if timeout is None or timeout > seconds else timeout


class PhaseTimeouts(dict[str, float | None]):
    """The timeouts of a request in the form of httpx, each limited by the deadline.

    httpcore reads a timeout at the start of each phase. A passed-in client, whose connections are
    not ours, therefore also ends each phase at the deadline.
    """

    def __init__(self, timeouts: Timeouts, deadline: Deadline) -> None:
        super().__init__(timeouts._asdict())
        self._deadline = deadline

    def get(self, name: str, default: float | None = None) -> float | None:  # type: ignore[override]
        """Return the timeout of a phase in seconds."""
        left = max(self._deadline.ends - time.monotonic(), 0.001)
        timeout = super().get(name, default)
        return left if timeout is None else min(timeout, left)
