"""Decide when a lease needs a heartbeat or ends. This module does no I/O and has no clock."""

from __future__ import annotations

import heapq
from enum import Enum
from itertools import count
from typing import TYPE_CHECKING, Generic, TypeVar

from chaojiyuyan_core.answers import LEASE_MARGIN

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")

DEFAULT_HEARTBEAT_INTERVAL = 10.0
"""Default seconds between the heartbeats of a lease, but at most half of the lease."""

MIN_RETRY_PAUSE = 0.2
"""Minimum seconds before the retry of a failed heartbeat, even near the deadline."""

MAX_RETRY_PAUSE = 2.0
"""Maximum seconds before the retry of a failed heartbeat, unless the server asks for more."""

LAST_ATTEMPT_SECONDS = 2.0
"""Seconds before the deadline at which a last heartbeat is sent, despite ``Retry-After``."""

NEVER = float("inf")


class Due(Enum):
    """The action that is due for a lease."""

    HEARTBEAT = "a heartbeat is due"
    EXPIRED = "its deadline has passed"
    HELD_TOO_LONG = "it was held for as long as allowed"


class Loss(Enum):
    """The reason why a lease was lost."""

    EXPIRED = "no heartbeat was answered before its deadline"
    GONE = "the platform has re-routed or settled the job"
    HELD_TOO_LONG = "it was held for longer than allowed"
    ABANDONED = "its holder was closed"


class LeaseTimes:
    """The times of one lease, in seconds of one monotonic clock.

    Attributes:
        deadline: The end of the lease.
        held_until: The time at which the lease is given up in any case.
        next_heartbeat: The time of the next heartbeat; infinity while one is in flight.
        is_kept: Whether heartbeats are sent.

    Args:
        sent: The time at which the bid was sent.
        seconds: The length of the lease from `sent`.
        now: The present time.
        interval: Seconds between heartbeats. With an interval that is not the default and is
            longer than the lease, no heartbeats are sent.
        max_hold: Seconds from now after which the lease is given up; None for no limit.
        spread: A number from 0 to 1, so that leases that were awarded together have heartbeats at
            different times.
    """

    __slots__ = ("_interval", "_sent", "deadline", "held_until", "is_kept", "next_heartbeat")

    def __init__(
        self,
        sent: float,
        seconds: float,
        *,
        now: float,
        interval: float = DEFAULT_HEARTBEAT_INTERVAL,
        max_hold: float | None = None,
        spread: float = 1.0,
    ) -> None:
        self._sent = sent
        self._interval = interval
        self.deadline = sent + seconds
        self.held_until = NEVER if max_hold is None else now + max_hold
        is_default = interval == DEFAULT_HEARTBEAT_INTERVAL
        self.is_kept = is_default or interval <= seconds + LEASE_MARGIN
        pause = self._pause(now) * (1 + spread) / 2
        self.next_heartbeat = now + pause if self.is_kept else NEVER

    @property
    def wake(self) -> float:
        """The time of the next action."""
        return min(self.next_heartbeat, self.deadline, self.held_until)

    def due(self, now: float) -> Due | None:
        """Return the due action, or None. A lease ends by the limit that passed first.

        Args:
            now: The present time.
        """
        if self.held_until <= min(now, self.deadline):
            return Due.HELD_TOO_LONG
        if self.deadline <= now:
            return Due.EXPIRED
        return Due.HEARTBEAT if self.next_heartbeat <= now else None

    def start_heartbeat(self) -> None:
        """Record that a heartbeat is in flight."""
        self.next_heartbeat = NEVER

    def extend(self, sent: float, seconds: float, now: float, spread: float) -> None:
        """Extend the lease after a heartbeat. The response to an older heartbeat is ignored.

        Args:
            sent: The time at which the heartbeat was sent.
            seconds: The length of the lease from `sent`.
            now: The present time.
            spread: A number from 0 to 1, for the jitter.
        """
        if sent >= self._sent:
            self._sent = sent
            self.deadline = sent + seconds
        if self.is_kept:
            self.next_heartbeat = now + self._pause(now) * (0.9 + spread / 10)

    def retry(self, now: float, retry_after: float | None) -> None:
        """Plan the retry of a failed heartbeat. The lease is not lost before its deadline.

        Args:
            now: The present time.
            retry_after: Seconds that the server asks to wait, or None.
        """
        left = self.deadline - now
        pause = min(self._interval, left / 4, MAX_RETRY_PAUSE)
        asked = min(retry_after or 0.0, max(left - LAST_ATTEMPT_SECONDS, left / 2))
        self.next_heartbeat = now + max(pause, asked, MIN_RETRY_PAUSE)

    def _pause(self, now: float) -> float:
        """Return the seconds until the next heartbeat. Half of the lease remains for retries."""
        return min(self._interval, max(self.deadline - now, 0.0) / 2)


class Schedule(Generic[T]):
    """A priority queue of items by time, in which the time of an item can be changed."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._planned: dict[T, float] = {}
        self._order = count()

    def __len__(self) -> int:
        return len(self._planned)

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._planned))

    def plan(self, item: T, when: float) -> None:
        """Set the time of an item, which replaces its earlier time.

        Args:
            item: The item.
            when: The time.
        """
        self._planned[item] = when
        heapq.heappush(self._heap, (when, next(self._order), item))
        # Remove old entries, because most leases are released long before their time.
        if len(self._heap) > 64 + 2 * len(self._planned):
            self._heap = [entry for entry in self._heap if self._counts(entry)]
            heapq.heapify(self._heap)

    def forget(self, item: T) -> None:
        """Remove an item."""
        self._planned.pop(item, None)

    def first(self) -> float | None:
        """Return the earliest time, or None when the schedule is empty."""
        while self._heap:
            if self._counts(self._heap[0]):
                return self._heap[0][0]
            heapq.heappop(self._heap)
        return None

    def take(self, now: float) -> T | None:
        """Remove and return an item that is due, or None.

        Args:
            now: The present time.
        """
        when = self.first()
        if when is None or when > now:
            return None
        item = heapq.heappop(self._heap)[2]
        del self._planned[item]
        return item

    def _counts(self, entry: tuple[float, int, T]) -> bool:
        return self._planned.get(entry[2]) == entry[0]
