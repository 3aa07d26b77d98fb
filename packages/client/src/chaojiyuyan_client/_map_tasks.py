"""The async `map`: its jobs are ordered in tasks of asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from typing import TYPE_CHECKING

from .map import MapResult, Plan, Window, check_result, make_result

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator

    from .job import AsyncJob


async def map_in_tasks(
    plan: Plan,
    inputs: Iterable[object] | AsyncIterable[object],
    perform: Callable[[int, object], Awaitable[AsyncJob]],
) -> AsyncIterator[MapResult[AsyncJob]]:
    """Order a job for each input, in tasks of the running loop, and yield the results.

    Args:
        plan: How to order.
        inputs: The inputs, sync or async; there may be endlessly many.
        perform: Orders the job of an input and waits for it.
    """
    window: Window[AsyncJob] = Window(plan.concurrency, ordered=plan.ordered)
    tasks = _Tasks(perform, aiter(inputs) if isinstance(inputs, AsyncIterable) else _each(inputs))
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
                window.put(await tasks.wait())
        tasks.raise_error()
    finally:
        tasks.close()


async def _each(inputs: Iterable[object]) -> AsyncIterator[object]:
    for item in inputs:
        yield item


class _Tasks:
    """A task for each open input, and one that takes the next input."""

    def __init__(
        self,
        perform: Callable[[int, object], Awaitable[AsyncJob]],
        source: AsyncIterator[object],
    ) -> None:
        self._perform = perform
        self._source = source
        self._events: asyncio.Queue[MapResult[AsyncJob] | None] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._inputs: list[object] = []  # one at most
        self._is_taking = False
        self._error: Exception | None = None
        self.has_stopped = False

    @property
    def has_input(self) -> bool:
        return bool(self._inputs)

    def advance(self) -> bool:
        """Begin to take the next input; False where one is being taken, or there is none."""
        if self._is_taking or self.has_stopped:
            return False
        self._is_taking = True
        self._spawn(self._take())
        return True

    def start(self, index: int) -> None:
        self._spawn(self._order(index, self._inputs.pop()))

    def ended(self) -> Iterator[MapResult[AsyncJob]]:
        while not self._events.empty():
            if (result := self._events.get_nowait()) is not None:
                yield result

    async def wait(self) -> list[MapResult[AsyncJob]]:
        """Wait for a result or an input."""
        result = await self._events.get()
        return [] if result is None else [result]

    def raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take(self) -> None:
        try:
            self._inputs.append(await anext(self._source))
        except StopAsyncIteration:
            self.has_stopped = True
        except Exception as error:  # noqa: BLE001  (raised after the results)
            self.has_stopped, self._error = True, error
        self._is_taking = False
        self._events.put_nowait(None)

    async def _order(self, index: int, item: object) -> None:
        job, error = None, None
        try:
            job = await self._perform(index, item)
        except Exception as caught:  # noqa: BLE001  (it is the result of this input)
            error = caught
        self._events.put_nowait(make_result(index, item, job, error))
