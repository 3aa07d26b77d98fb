"""The async `map`, which orders its jobs in tasks of asyncio or trio."""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections import deque
from collections.abc import AsyncIterable
from functools import partial
from typing import TYPE_CHECKING

import anyio

from .map import MapResult, Plan, Window, check_result, make_result

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator

    from .job import AsyncJob


async def map_in_tasks(
    plan: Plan,
    inputs: Iterable[object] | AsyncIterable[object],
    perform: Callable[[int, object], Awaitable[AsyncJob]],
) -> AsyncIterator[MapResult[AsyncJob]]:
    """Order a job for each input in tasks of the running event loop, and yield the results.

    Args:
        plan: The arguments of the map.
        inputs: A sync or async iterable of inputs, which may be infinite.
        perform: Orders the job for an input and waits for it.
    """
    window: Window[AsyncJob] = Window(plan.concurrency, ordered=plan.ordered)
    tasks = _Tasks(perform, aiter(inputs) if isinstance(inputs, AsyncIterable) else _Each(inputs))
    try:
        while True:
            window.put(tasks.ended())
            if (ready := window.pop()) is not None:
                yield check_result(ready, plan)
            elif tasks.has_input:
                tasks.start(window.take())
            elif window.has_room and tasks.advance():
                continue
            elif tasks.has_stopped and window.is_empty:
                break
            else:
                await tasks.wait()
        tasks.raise_error()
    finally:
        tasks.close()


class _Each:
    """Inputs as an async iterator. Unlike an async generator, it needs no closing on trio."""

    def __init__(self, inputs: Iterable[object]) -> None:
        self._iterator = iter(inputs)

    def __aiter__(self) -> AsyncIterator[object]:
        return self

    async def __anext__(self) -> object:
        try:
            return next(self._iterator)
        except StopIteration:
            raise StopAsyncIteration from None


class _Tasks:
    """Runs a task for each open input, and one task that takes the next input."""

    def __init__(
        self,
        perform: Callable[[int, object], Awaitable[AsyncJob]],
        source: AsyncIterator[object],
    ) -> None:
        self._perform = perform
        self._source = source
        self._results: deque[MapResult[AsyncJob]] = deque()
        self._news: anyio.Event | None = None
        self._running: dict[anyio.CancelScope, object] = {}
        self._inputs: list[object] = []  # at most one
        self._is_taking = False
        self._error: BaseException | None = None
        self._interruption: BaseException | None = None
        self.has_stopped = False

    @property
    def has_input(self) -> bool:
        return bool(self._inputs)

    def advance(self) -> bool:
        """Start to take the next input, or return False when it is being taken or there is none."""
        if self._is_taking or self.has_stopped:
            return False
        self._is_taking = True
        self._spawn(self._take)
        return True

    def start(self, index: int) -> None:
        self._spawn(partial(self._order, index, self._inputs.pop()))

    def ended(self) -> Iterator[MapResult[AsyncJob]]:
        if self._interruption is not None:
            raise self._interruption
        while self._results:
            yield self._results.popleft()

    async def wait(self) -> None:
        """Wait for a result or an input."""
        self._news = anyio.Event()
        await self._news.wait()

    def raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        for scope in list(self._running):
            scope.cancel()

    def _spawn(self, work: Callable[[], Awaitable[None]]) -> None:
        scope = anyio.CancelScope()

        async def run() -> None:
            try:
                with scope:
                    if not scope.cancel_called:
                        await work()
            finally:
                del self._running[scope]
                if self._news is not None:
                    self._news.set()

        self._running[scope] = _start(run)

    async def _take(self) -> None:
        try:
            self._inputs.append(await anext(self._source))
        except StopAsyncIteration:
            self.has_stopped = True
        except BaseException as error:  # noqa: BLE001  (raised to the reader)
            # An Exception is raised after the results, any other BaseException at once.
            self.has_stopped, self._error = True, error
            if not isinstance(error, Exception):
                self._interrupt(error)
        finally:
            self._is_taking = False

    async def _order(self, index: int, item: object) -> None:
        job, error = None, None
        try:
            job = await self._perform(index, item)
        except Exception as caught:  # noqa: BLE001  (it is the result of this input)
            error = caught
        except BaseException as caught:  # noqa: BLE001  (raised to the reader)
            self._interrupt(caught)
            return
        self._results.append(make_result(index, item, job, error))

    def _interrupt(self, caught: BaseException) -> None:
        """Keep an exception for the reader. A cancellation is also raised here."""
        self._interruption = caught
        if isinstance(caught, anyio.get_cancelled_exc_class()):
            raise caught


def _start(run: Callable[[], Coroutine[object, object, None]]) -> object:
    """Start a coroutine in a new task, and return the object that keeps the task alive."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        # On trio, a generator must not keep a nursery open while it yields.
        spawn = sys.modules["trio"].lowlevel.spawn_system_task
        return spawn(run, context=contextvars.copy_context())
    return loop.create_task(run())
