"""The idle connections of a stack. This module does no I/O and no waiting."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Origin = tuple[bytes, bytes, int]
"""The scheme, the host and the port."""

MAX_IDLE_SECONDS = 30.0
"""Seconds after which an idle connection is closed, because routers drop it after a minute."""


class Pooled(Protocol):
    """The interface of a connection for a shelf."""

    @property
    def origin(self) -> Origin:
        """The origin of the server."""


C = TypeVar("C", bound=Pooled)


class Shelf(Generic[C]):
    """The idle connections and the connections in use, without I/O and without waiting.

    Args:
        max_connections: Maximum number of connections, idle or in use.
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, max_connections: int, clock: Callable[[], float]) -> None:
        self.max_connections = max_connections
        self.clock = clock
        self.in_use: set[C] = set()
        self._idle: dict[Origin, deque[tuple[float, C]]] = {}
        self._idle_count = 0

    @property
    def is_full(self) -> bool:
        """Whether the maximum number of connections is reached."""
        return len(self.in_use) + self._idle_count >= self.max_connections

    def pop(self, origin: Origin) -> C | None:
        """Remove and return the idle connection that was used last, or None."""
        shelf = self._idle.get(origin)
        if not shelf:
            return None
        self._idle_count -= 1
        connection = shelf.pop()[1]
        self.in_use.add(connection)
        return connection

    def push(self, connection: C) -> None:
        """Add a connection that is no longer in use."""
        self.in_use.discard(connection)
        self._idle.setdefault(connection.origin, deque()).append((self.clock(), connection))
        self._idle_count += 1

    def pop_unused(self, *, for_origin: Origin | None = None) -> list[C]:
        """Remove and return the connections that must be closed.

        These are the connections that were idle for too long. When the shelf is full and a new
        connection is needed, it is also the oldest idle connection.

        Args:
            for_origin: The origin of a new connection, or None when none is needed.
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
        """Remove and return all idle connections."""
        found = [connection for shelf in self._idle.values() for _, connection in shelf]
        self._idle.clear()
        self._idle_count = 0
        return found

    def forget_all(self) -> list[C]:
        """Remove and return all connections, idle or in use."""
        found = [*self.pop_all(), *self.in_use]
        self.in_use.clear()
        return found


def has_leftovers(connection: object) -> bool:
    """Return whether a server sent extra data, which would be read as the next response.

    httpcore reads ahead, and has no public way to see its buffer.

    Args:
        connection: An idle connection of httpcore, direct or through a proxy.
    """
    while (inner := getattr(connection, "_connection", None)) is not None:  # httpcore nests them
        connection = inner
    state = getattr(connection, "_h11_state", None)
    return state is not None and bool(state.trailing_data[0])


def closed_fault() -> Exception:
    """Return the error of a request on a closed stack."""
    return RuntimeError("The client is closed: create a new one")


def all_in_use_fault(max_connections: int, waited: float) -> Exception:
    """Return the error of a request that found no free connection.

    Args:
        max_connections: The maximum number of connections.
        waited: The seconds that the request waited.
    """
    import httpx

    return httpx.PoolTimeout(
        f"All {max_connections} connections were in use for {waited:g} s:"
        " run fewer requests at once, or wait longer"
    )
