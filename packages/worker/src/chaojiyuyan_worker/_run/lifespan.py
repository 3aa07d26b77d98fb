"""What a worker opens before its first poll and closes after its last submit."""

from __future__ import annotations

import inspect
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from .execution import Execution

    Manager = AbstractContextManager[Any] | AbstractAsyncContextManager[Any]
    Opened = Manager | Iterator[Any] | AsyncIterator[Any]
    LifespanFunction = Callable[[], Opened] | Callable[[Any], Opened]


class Lifespan:
    """One opening and closing of what a worker needs.

    Attributes:
        state: What was yielded; None before it is open.

    Args:
        function: The author's function.
        worker: What it is called with, if it takes a parameter.
        execution: Has the event loop on which an async one is opened and closed.
    """

    def __init__(self, function: LifespanFunction, worker: object, execution: Execution) -> None:
        self._function = function
        self._worker = worker
        self._execution = execution
        self._close: Callable[[], object] | None = None
        self.state: Any = None

    def open(self) -> None:
        """Open it.

        Raises:
            TypeError: The function returns no context manager.
            BaseException: What the function raises.
        """
        manager = make_manager(self._function, self._worker)
        if hasattr(manager, "__aenter__"):
            self._open_on_loop(manager)
        else:
            self.state = manager.__enter__()
            self._close = lambda: manager.__exit__(None, None, None)

    def close(self) -> None:
        """Close it, once.

        Raises:
            BaseException: What the function raises.
        """
        close, self._close = self._close, None
        if close is not None:
            close()

    def _open_on_loop(self, manager: Any) -> None:
        """Open it in a task that closes it too, as task groups and cancel scopes demand."""
        import asyncio
        from concurrent.futures import Future

        opened: Future[Any] = Future()
        closing = asyncio.Event()

        async def live() -> None:
            try:
                async with manager as state:
                    opened.set_result(state)
                    await closing.wait()
            except BaseException as error:
                if opened.done():
                    raise
                opened.set_exception(error)

        ended = self._execution.start_coroutine(live())
        self.state = self._execution.wait_for(opened)

        def close() -> None:
            self._execution.call_on_loop(closing.set)
            self._execution.wait_for(ended)

        self._close = close


def make_manager(function: LifespanFunction, worker: object) -> Any:
    """Call the author's function and return the context manager that it stands for.

    Args:
        function: The author's function.
        worker: What it is called with, if it takes a parameter.

    Raises:
        TypeError: It returns none.
    """
    arguments: tuple[object, ...] = (worker,) if inspect.signature(function).parameters else ()
    make: Callable[..., Any] = function
    if inspect.isgeneratorfunction(function):
        make = contextmanager(function)
    elif inspect.isasyncgenfunction(function):
        make = asynccontextmanager(function)
    manager = make(*arguments)
    if not (hasattr(manager, "__enter__") or hasattr(manager, "__aenter__")):
        kind = type(manager).__name__
        raise TypeError(f"the lifespan must yield once or return a context manager, not {kind}")
    return manager


class ProcessState:
    """What :class:`~chaojiyuyan_worker.lifespan_initializer` opened in this process."""

    value: Any = None
