"""Who waits for what: futures that an event resolves, so that nobody has to poll."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Waiters:
    """Futures by topic. Waking a topic resolves all that wait for it."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}
        self.closed = False

    @contextmanager
    def waiting(self, topics: Iterable[str]) -> Iterator[asyncio.Future[None]]:
        """A future that any of the topics resolves."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        topics = tuple(topics)
        for topic in topics:
            self._waiting.setdefault(topic, set()).add(future)
        if self.closed:
            future.set_result(None)
        try:
            yield future
        finally:
            for topic in topics:
                waiting = self._waiting[topic]
                waiting.discard(future)
                if not waiting:
                    del self._waiting[topic]

    def wake(self, topic: str) -> None:
        """Resolve those that wait for a topic."""
        for future in self._waiting.get(topic, ()):
            if not future.done():
                future.set_result(None)

    async def pause(self, seconds: float) -> None:
        """Sleep, but no longer than until ``close``."""
        with self.waiting(["close"]) as closed:
            await asyncio.wait({closed}, timeout=seconds)

    def close(self) -> None:
        """Let everybody go, also those who come later."""
        self.closed = True
        for topic in list(self._waiting):
            self.wake(topic)
