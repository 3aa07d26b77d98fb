"""Who waits for what: futures that an event resolves, so that nobody has to poll."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True)
class Offered:
    """A job of this capability is on offer."""

    capability_key: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The job with this number has ended."""

    job: int


@dataclass(frozen=True, slots=True)
class Changed:
    """A record of this kind (``Job``, ``Agent``, …) changed, or the job with this number did."""

    what: str | int


Topic: TypeAlias = Offered | Ended | Changed


class Waiters:
    """Futures by topic, in the order in which they came.

    Attributes:
        closed: Whether the server stops, so that nobody may wait any more.
    """

    def __init__(self) -> None:
        self._waiting: dict[Topic, dict[asyncio.Future[None], None]] = {}
        self._all: set[asyncio.Future[None]] = set()
        self.closed = False

    @contextmanager
    def waiting(self, topics: Iterable[Topic]) -> Iterator[asyncio.Future[None]]:
        """Give a future that any of the topics resolves."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        topics = tuple(topics)
        for topic in topics:
            self._waiting.setdefault(topic, {})[future] = None
        self._all.add(future)
        if self.closed:
            future.set_result(None)
        try:
            yield future
        finally:
            self._all.discard(future)
            for topic in topics:
                waiting = self._waiting.get(topic)
                if waiting is not None:
                    waiting.pop(future, None)
                    if not waiting:
                        del self._waiting[topic]

    def wake(self, topic: Topic, count: int | None = None) -> bool:
        """Resolve the futures of a topic.

        Args:
            topic: What happened.
            count: How many to resolve, those that have waited longest; all by default.

        Returns:
            Whether others still wait for the topic.
        """
        waiting = self._waiting.get(topic)
        while waiting and count != 0:
            future = next(iter(waiting))
            del waiting[future]
            if not future.done():
                future.set_result(None)
                count = None if count is None else count - 1
        return bool(waiting)

    async def pause(self, seconds: float) -> None:
        """Sleep, but no longer than until ``close``."""
        with self.waiting(()) as closed:
            await asyncio.wait({closed}, timeout=seconds)

    def close(self) -> None:
        """Resolve all futures, also those of who comes later."""
        self.closed = True
        self.wake_all()

    def wake_all(self) -> None:
        """Resolve all futures, whatever they wait for."""
        for future in self._all:
            if not future.done():
                future.set_result(None)
