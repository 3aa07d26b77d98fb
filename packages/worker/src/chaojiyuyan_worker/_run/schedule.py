"""When each lease needs something. Pure: times go in, decisions come out."""

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
"""Seconds between the heartbeats of a lease; half of a lease that is shorter than twice this."""

MIN_RETRY_PAUSE = 0.2
"""The shortest pause after a heartbeat that failed, in seconds, however near the deadline is."""

MAX_RETRY_PAUSE = 2.0
"""The longest pause after a heartbeat that failed, in seconds, unless the server asks for more."""

LAST_ATTEMPT_SECONDS = 2.0
"""Seconds before the deadline at which a last heartbeat is sent, whatever the server asks for."""

NEVER = float("inf")


class Due(Enum):
    """What is due for a lease."""

    HEARTBEAT = "a heartbeat is due"
    EXPIRED = "its deadline has passed"
    HELD_TOO_LONG = "it was held for as long as allowed"


class Loss(Enum):
    """Why a lease was lost."""

    EXPIRED = "no heartbeat was answered before its deadline"
    GONE = "the platform has re-routed or settled the job"
    HELD_TOO_LONG = "it was held for longer than allowed"
    ABANDONED = "its holder was closed"


class LeaseTimes:
    """The times of one lease, in seconds of one monotonic clock.

    Attributes:
        deadline: When the lease ends.
        held_until: When it is given up whatever happens.
        next_heartbeat: When the next heartbeat is due; never, while one is under way.
        is_kept: Whether heartbeats are sent at all.

    Args:
        sent: When the bid was sent.
        seconds: How long the lease is held from then on.
        now: The time.
        interval: Seconds between heartbeats. An interval other than the default that is longer than
            the lease sends none.
        max_hold: Seconds from now after which the lease is given up.
        spread: A number from 0 to 1, so that leases awarded together do not stay together.
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
        """When something is due next."""
        return min(self.next_heartbeat, self.deadline, self.held_until)

    def due(self, now: float) -> Due | None:
        """Return what is due; what came first is the reason that a lease ends.

        Args:
            now: The time.
        """
        if self.held_until <= min(now, self.deadline):
            return Due.HELD_TOO_LONG
        if self.deadline <= now:
            return Due.EXPIRED
        return Due.HEARTBEAT if self.next_heartbeat <= now else None

    def start_heartbeat(self) -> None:
        """Note that a heartbeat is under way."""
        self.next_heartbeat = NEVER

    def extend(self, sent: float, seconds: float, now: float, spread: float) -> None:
        """Note that a heartbeat was answered; an answer that a later one has overtaken is old.

        Args:
            sent: When the heartbeat was sent.
            seconds: How long the lease is held from then on.
            now: The time.
            spread: A number from 0 to 1, for the jitter.
        """
        if sent >= self._sent:
            self._sent = sent
            self.deadline = sent + seconds
        if self.is_kept:
            self.next_heartbeat = now + self._pause(now) * (0.9 + spread / 10)

    def retry(self, now: float, retry_after: float | None) -> None:
        """Note that a heartbeat failed: unknown is not lost, there is time until the deadline.

        Args:
            now: The time.
            retry_after: Seconds that the server asks to wait, or None.
        """
        left = self.deadline - now
        pause = min(self._interval, left / 4, MAX_RETRY_PAUSE)
        asked = min(retry_after or 0.0, max(left - LAST_ATTEMPT_SECONDS, left / 2))
        self.next_heartbeat = now + max(pause, asked, MIN_RETRY_PAUSE)

    def _pause(self, now: float) -> float:
        """Return the seconds until the next heartbeat: half a lease is left for retries."""
        return min(self._interval, max(self.deadline - now, 0.0) / 2)


class Schedule(Generic[T]):
    """Items in the order of the times at which somebody is to look at them."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._planned: dict[T, float] = {}
        self._order = count()

    def __len__(self) -> int:
        return len(self._planned)

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._planned))

    def plan(self, item: T, when: float) -> None:
        """Plan the next look at an item, in place of the one planned before.

        Args:
            item: The item.
            when: The time.
        """
        self._planned[item] = when
        heapq.heappush(self._heap, (when, next(self._order), item))
        # Most leases are released long before their time.
        if len(self._heap) > 64 + 2 * len(self._planned):
            self._heap = [entry for entry in self._heap if self._counts(entry)]
            heapq.heapify(self._heap)

    def forget(self, item: T) -> None:
        """Look at an item no more."""
        self._planned.pop(item, None)

    def first(self) -> float | None:
        """Return the time of the next look, or None without one."""
        while self._heap:
            if self._counts(self._heap[0]):
                return self._heap[0][0]
            heapq.heappop(self._heap)
        return None

    def take(self, now: float) -> T | None:
        """Take an item whose time has come; it is not planned any more.

        Args:
            now: The time.
        """
        when = self.first()
        if when is None or when > now:
            return None
        item = heapq.heappop(self._heap)[2]
        del self._planned[item]
        return item

    def _counts(self, entry: tuple[float, int, T]) -> bool:
        return self._planned.get(entry[2]) == entry[0]
