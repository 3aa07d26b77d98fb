"""How long a request may take: without progress, and in total."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, NamedTuple, Union

if TYPE_CHECKING:
    import httpx

TimeoutTypes = Union[float, None, tuple[float | None, ...], "httpx.Timeout"]
"""A timeout in each form that httpx takes."""

MAX_CALL_SECONDS = 300.0
"""Seconds after which an attempt without a timeout of its own ends, whatever progress it makes."""

MAX_SECONDS = 1e8
"""The longest timeout that is accepted, about three years; some systems cannot wait longer."""


def check_seconds(name: str, value: float) -> float:
    """Return a number of seconds from 0 on.

    Args:
        name: What it is, for the error.
        value: The number of seconds.

    Raises:
        TypeError: It is not a number.
        ValueError: It is negative, NaN, infinite or beyond three years.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number of seconds, not {type(value).__name__}")
    if not 0 <= value <= MAX_SECONDS:  # NaN compares false
        raise ValueError(f"{name} must be from 0 to {MAX_SECONDS:.0f} seconds, not {value!r}")
    return value


class Timeouts(NamedTuple):
    """Seconds without progress in each phase of a request; None waits as long as the total allows.

    Attributes:
        connect: Seconds for connecting, TLS included.
        read: Seconds between two parts of the answer.
        write: Seconds between two parts of the request.
        pool: Seconds for a free connection.
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
            TypeError: It has none of these forms.
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
        """Return timeouts with room for a long-poll.

        Args:
            seconds: How long it may hold the answer back.
        """
        read = None if self.read is None else self.read + seconds
        return self._replace(read=read)

    @property
    def total(self) -> float:
        """Seconds in total of an attempt that has no timeout of its own."""
        return max(MAX_CALL_SECONDS, *(part or 0.0 for part in self))


class Deadline:
    """When an attempt ends. A connection keeps one, and sets it again for each exchange.

    Attributes:
        ends: The end, by the monotonic clock.
    """

    __slots__ = ("ends",)

    def __init__(self, ends: float = math.inf) -> None:
        self.ends = ends

    def pass_now(self) -> None:
        """Move the end into the past."""
        self.ends = -math.inf

    def left(self, timeout: float | None, fault: type[Exception]) -> float:
        """Return the seconds that the next step may take.

        Args:
            timeout: Seconds for this step; None leaves it all that is left.
            fault: What is raised when nothing is left.
        """
        seconds = self.ends - time.monotonic()
        if seconds <= 0:
            raise fault("The total time of the attempt is over")
        return seconds if timeout is None or timeout > seconds else timeout


class PhaseTimeouts(dict[str, float | None]):
    """The timeouts of a request as httpx keeps them, each cut to what the deadline leaves.

    httpcore looks a timeout up at the beginning of each phase, so that a client that was handed in,
    whose connections are not ours, is bound by the deadline too, phase by phase.
    """

    def __init__(self, timeouts: Timeouts, deadline: Deadline) -> None:
        super().__init__(timeouts._asdict())
        self._deadline = deadline

    def get(self, name: str, default: float | None = None) -> float | None:  # type: ignore[override]
        """Return the seconds that a phase may go without progress."""
        left = max(self._deadline.ends - time.monotonic(), 0.001)
        timeout = super().get(name, default)
        return left if timeout is None else min(timeout, left)
