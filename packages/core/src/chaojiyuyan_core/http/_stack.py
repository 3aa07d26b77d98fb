"""A stack of connections: the connection that was returned last is used first.

httpcore's own pool checks every connection for each request (encode/httpcore #1035). With 1,000
requests in flight, it takes 27 times as much time as this stack.
"""

from __future__ import annotations

import os
import time
from collections import deque
from threading import Condition
from typing import TYPE_CHECKING
from weakref import WeakSet

from ._shelf import Origin, Shelf, all_in_use_fault, closed_fault

if TYPE_CHECKING:
    from collections.abc import Callable

    import anyio

    from ._async_connection import AsyncConnection
    from ._sync_connection import Connection
    from ._timeouts import Deadline


class ConnectionStack:
    """The connections of a sync transport. It is thread-safe.

    Args:
        connect: Makes a connection that is not open yet.
        max_connections: Maximum number of connections, idle or in use.
        clock: A monotonic clock, in seconds.
    """

    def __init__(
        self,
        connect: Callable[[Origin], Connection],
        max_connections: int,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._shelf: Shelf[Connection] = Shelf(max_connections, clock)
        self._changed = Condition()
        self._is_closed = False
        _stacks.add(self)

    def take(self, origin: Origin, max_wait: float, deadline: Deadline) -> Connection:
        """Return an idle connection, or a new one that is not open yet.

        Args:
            origin: The origin of the server.
            max_wait: Maximum seconds to wait while all connections are in use.
            deadline: The deadline of the attempt. An abort moves it.

        Raises:
            httpx.PoolTimeout: No connection became free in time.
            RuntimeError: The stack is closed.
        """
        ends = self._shelf.clock() + max_wait
        while True:
            connection, unused = self._take(origin, ends, max_wait, deadline)
            for each in unused:
                each.close()
            if not connection.is_stale():  # outside the lock, because it makes a system call
                return connection
            self.drop(connection)

    def _take(
        self, origin: Origin, ends: float, max_wait: float, deadline: Deadline
    ) -> tuple[Connection, list[Connection]]:
        """Return a connection, and the connections to close."""
        shelf = self._shelf
        with self._changed:
            while True:
                if self._is_closed:
                    raise closed_fault()
                connection = shelf.pop(origin)
                if connection is not None:
                    return connection, []
                unused = shelf.pop_unused(for_origin=origin)
                if not shelf.is_full:
                    connection = self._connect(origin)
                    shelf.in_use.add(connection)
                    return connection, unused
                left = min(ends, deadline.ends) - shelf.clock()
                if not self._changed.wait(max(left, 0)):
                    raise all_in_use_fault(shelf.max_connections, max_wait)

    def give_back(self, connection: Connection) -> None:
        """Return a connection to the stack after a successful exchange.

        Args:
            connection: The connection. The caller must not use it any more.
        """
        with self._changed:
            if self._is_closed or connection not in self._shelf.in_use:
                unused = [connection]
                self._shelf.in_use.discard(connection)
            else:
                self._shelf.push(connection)
                unused = self._shelf.pop_unused()
            self._changed.notify()
        for each in unused:
            each.close()

    def drop(self, connection: Connection) -> None:
        """Close a connection that cannot be used again.

        Args:
            connection: The connection. The caller must not use it any more.
        """
        with self._changed:
            self._shelf.in_use.discard(connection)
            self._changed.notify()
        connection.close()

    def wake_up(self) -> None:
        """Wake up all threads that are in an exchange or wait for a connection.

        Each of them then checks its deadline.
        """
        with self._changed:
            self._changed.notify_all()
            for connection in self._shelf.in_use:
                connection.shut_down()

    def close(self) -> None:
        """Close the idle connections. Connections in use are closed when they are returned."""
        with self._changed:
            self._is_closed = True
            unused = self._shelf.pop_all()
            self._changed.notify_all()
        for each in unused:
            each.close()

    def forget_parent(self) -> None:
        """Reset the stack in a forked child. A thread of the parent may have held the lock."""
        self._changed = Condition()
        for connection in self._shelf.forget_all():
            connection.abandon()


class AsyncConnectionStack:
    """The connections of an async transport. They belong to one event loop at a time.

    Args:
        connect: Makes a connection that is not open yet.
        max_connections: Maximum number of connections, idle or in use.
        clock: A monotonic clock, in seconds.
    """

    def __init__(
        self,
        connect: Callable[[Origin], AsyncConnection],
        max_connections: int,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._max_connections = max_connections
        self._clock = clock
        self._is_closed = False
        self.forget_parent()
        _stacks.add(self)

    async def take(self, origin: Origin, max_wait: float) -> AsyncConnection:
        """Return an idle connection, or a new one that is not open yet.

        Args:
            origin: The origin of the server.
            max_wait: Maximum seconds to wait while all connections are in use.

        Raises:
            httpx.PoolTimeout: No connection became free in time.
            RuntimeError: The stack is closed.
        """
        here = self._here()
        shelf = here.shelf
        ends = self._clock() + max_wait
        while True:
            if self._is_closed:
                raise closed_fault()
            connection = shelf.pop(origin)
            if connection is None:
                unused = shelf.pop_unused(for_origin=origin)
                if shelf.is_full:
                    await here.wait(ends - self._clock(), max_wait)
                    continue
                connection = self._connect(origin)
                shelf.in_use.add(connection)
                try:
                    for each in unused:
                        await each.aclose()
                except BaseException:
                    await self.drop(connection)
                    raise
                return connection
            if not connection.is_stale():
                return connection
            await self.drop(connection)

    async def give_back(self, connection: AsyncConnection) -> None:
        """Return a connection to the stack after a successful exchange.

        Args:
            connection: The connection. The caller must not use it any more.
        """
        here = self._state
        if self._is_closed or connection not in here.shelf.in_use:
            await self.drop(connection)
            return
        here.shelf.push(connection)
        here.wake_one()
        for each in here.shelf.pop_unused():
            await each.aclose()

    async def drop(self, connection: AsyncConnection) -> None:
        """Close a connection that cannot be used again.

        Args:
            connection: The connection. The caller must not use it any more.
        """
        here = self._state
        if connection in here.shelf.in_use:
            here.shelf.in_use.remove(connection)
            here.wake_one()
        await connection.aclose()

    async def close(self) -> None:
        """Close the idle connections. Connections in use are closed when they are returned."""
        self._is_closed = True
        here = self._state
        here.wake_all()
        for each in here.shelf.pop_all():
            await each.aclose()

    def forget_parent(self) -> None:
        """Forget all connections in a forked child. They are the parent's."""
        self._state = _LoopState(None, self._max_connections, self._clock)

    def _here(self) -> _LoopState:
        """Return the state of the running event loop, which replaces that of another one.

        Two event loops on two threads may do so in turn. Each then loses its idle connections, but
        it never gets a connection of the other one.
        """
        import anyio.lowlevel

        loop, state = anyio.lowlevel.current_token(), self._state
        if state.loop != loop:
            state = self._state = _LoopState(loop, self._max_connections, self._clock)
        return state


class _LoopState:
    """The connections of one event loop, and its tasks that wait for one."""

    def __init__(self, loop: object, max_connections: int, clock: Callable[[], float]) -> None:
        self.loop = loop
        self.shelf: Shelf[AsyncConnection] = Shelf(max_connections, clock)
        self._waiting: deque[anyio.Event] = deque()

    async def wait(self, left: float, max_wait: float) -> None:
        import anyio

        changed = anyio.Event()
        self._waiting.append(changed)
        try:
            with anyio.move_on_after(left):
                await changed.wait()
        except BaseException:
            if changed.is_set():
                self.wake_one()  # cancelled after it was woken, so wake the next one
            else:
                self._waiting.remove(changed)
            raise
        if not changed.is_set():
            self._waiting.remove(changed)
            raise all_in_use_fault(self.shelf.max_connections, max_wait)

    def wake_one(self) -> None:
        if self._waiting:
            self._waiting.popleft().set()

    def wake_all(self) -> None:
        while self._waiting:
            self.wake_one()


_stacks: WeakSet[ConnectionStack | AsyncConnectionStack] = WeakSet()


def _begin_anew_in_child() -> None:
    for stack in list(_stacks):
        stack.forget_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew_in_child)
