"""Futures that are resolved by events, for requests that wait for one."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Offered:
    """A job of this capability was offered."""

    capability_key: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The job with this number has ended."""

    job: int


@dataclass(frozen=True, slots=True)
class Changed:
    """A record of this kind (``Job``, ``Agent``, …) or the job with this number changed."""

    what: str | int


Topic: TypeAlias = Offered | Ended | Changed


class Waiters:
    """The waiting futures by topic, in the order of their creation.

    Attributes:
        closed: Whether the server is stopping; nothing may wait then.
    """

    def __init__(self) -> None:
        self._waiting: dict[Topic, dict[asyncio.Future[None], None]] = {}
        self._all: set[asyncio.Future[None]] = set()
        self.closed = False

    @contextmanager
    def waiting(self, topics: Iterable[Topic]) -> Iterator[asyncio.Future[None]]:
        """Yield a future that any of the topics resolves."""
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
            topic: The event.
            count: How many futures to resolve, the longest waiting first; all by default.

        Returns:
            Whether other futures still wait for the topic.
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
        """Sleep, at the longest until ``close``."""
        with self.waiting(()) as closed:
            await asyncio.wait({closed}, timeout=seconds)

    def close(self) -> None:
        """Resolve all futures, also those that are created later."""
        self.closed = True
        self.wake_all()

    def wake_all(self) -> None:
        """Resolve the futures of all topics."""
        for future in self._all:
            if not future.done():
                future.set_result(None)
