"""Open an author's resources before the first poll, and close them after the last submit."""

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
    """The lifespan of one run.

    Attributes:
        state: The yielded value; None before the lifespan is open.

    Args:
        function: The author's function.
        worker: The argument of the function, if it has a parameter.
        execution: Provides the event loop for an async lifespan.
    """

    def __init__(self, function: LifespanFunction, worker: object, execution: Execution) -> None:
        self._function = function
        self._worker = worker
        self._execution = execution
        self._close: Callable[[], object] | None = None
        self.state: Any = None

    def open(self) -> None:
        """Open the lifespan.

        Raises:
            TypeError: The function does not return a context manager.
            BaseException: The exception of the function.
        """
        manager = make_manager(self._function, self._worker)
        if hasattr(manager, "__aenter__"):
            self._open_on_loop(manager)
        else:
            self.state = manager.__enter__()
            self._close = lambda: manager.__exit__(None, None, None)

    def close(self) -> None:
        """Close the lifespan. A repeat does nothing.

        Raises:
            BaseException: The exception of the function.
        """
        close, self._close = self._close, None
        if close is not None:
            close()

    def _open_on_loop(self, manager: Any) -> None:
        """Open and close an async lifespan in the same task, as task groups require."""
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
    """Call the author's function, and return a context manager.

    Args:
        function: The author's function.
        worker: The argument of the function, if it has a parameter.

    Raises:
        TypeError: The function is not a generator function and does not return a context manager.
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
    """The value from :class:`~chaojiyuyan_worker.lifespan_initializer` in this process."""

    value: Any = None
