"""The idle connections of a stack, without I/O and without waiting."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Origin = tuple[bytes, bytes, int]
"""Scheme, host and port."""

MAX_IDLE_SECONDS = 30.0
"""An idle connection is closed after this time: routers forget a silent one after a minute."""


class Pooled(Protocol):
    """What a shelf needs of a connection."""

    @property
    def origin(self) -> Origin:
        """Where it leads."""

    def abandon(self) -> None:
        """Leave it to the parent process."""


C = TypeVar("C", bound=Pooled)


class Shelf(Generic[C]):
    """The idle connections, and how many there are in all; it does no I/O and does not wait.

    Args:
        max_connections: The most connections, idle or in use.
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, max_connections: int, clock: Callable[[], float]) -> None:
        self.max_connections = max_connections
        self.clock = clock
        self.is_closed = False
        self.in_use: set[C] = set()
        self._idle: dict[Origin, deque[tuple[float, C]]] = {}
        self._idle_count = 0

    @property
    def is_full(self) -> bool:
        """Whether there are as many connections as there may be."""
        return len(self.in_use) + self._idle_count >= self.max_connections

    def pop(self, origin: Origin) -> C | None:
        """Take the idle connection that was used last."""
        shelf = self._idle.get(origin)
        if not shelf:
            return None
        self._idle_count -= 1
        connection = shelf.pop()[1]
        self.in_use.add(connection)
        return connection

    def push(self, connection: C) -> None:
        """Keep a connection that is no longer in use."""
        self.in_use.discard(connection)
        self._idle.setdefault(connection.origin, deque()).append((self.clock(), connection))
        self._idle_count += 1

    def pop_unused(self, *, for_origin: Origin | None = None) -> list[C]:
        """Remove the connections that were idle for too long, and one to make room for another.

        Args:
            for_origin: Where a new connection is to lead, if one is wanted.
        """
        since = self.clock() - MAX_IDLE_SECONDS
        found: list[C] = []
        for shelf in self._idle.values():
            while shelf and shelf[0][0] < since:
                found.append(shelf.popleft()[1])
        self._idle_count -= len(found)
        if for_origin is not None and self.is_full and not found:
            others = [shelf for shelf in self._idle.values() if shelf]
            if others:
                found.append(min(others, key=lambda shelf: shelf[0][0]).popleft()[1])
                self._idle_count -= 1
        return found

    def pop_all(self) -> list[C]:
        """Remove every idle connection."""
        found = [connection for shelf in self._idle.values() for _, connection in shelf]
        self._idle.clear()
        self._idle_count = 0
        return found

    def abandon_all(self) -> None:
        """Forget every connection: they belong to the parent process."""
        for connection in [*self.pop_all(), *self.in_use]:
            connection.abandon()
        self.in_use.clear()


def has_leftovers(connection: object) -> bool:
    """Tell whether a server sent more than its answer, which would be read as the next one.

    httpcore reads ahead, and does not tell what is left in its buffer.

    Args:
        connection: An ``httpcore.HTTPConnection`` or its async twin, idle.
    """
    state = getattr(getattr(connection, "_connection", None), "_h11_state", None)
    return state is not None and bool(state.trailing_data[0])


def check_open(shelf: Shelf[C]) -> None:
    """Raise where the shelf was closed.

    Args:
        shelf: The shelf of a stack.

    Raises:
        RuntimeError: It was closed.
    """
    if shelf.is_closed:
        raise RuntimeError("The client was closed: make a new one")


def all_in_use_fault(max_connections: int, waited: float) -> Exception:
    """Return the fault of a request that found no free connection.

    Args:
        max_connections: How many there are.
        waited: Seconds that it waited for one.
    """
    import httpx

    return httpx.PoolTimeout(
        f"All {max_connections} connections were in use for {waited:g} s:"
        " run fewer requests at once, or wait longer"
    )
