"""The sync `map`, which orders its jobs on threads."""

from __future__ import annotations

import contextlib
import contextvars
import threading
from collections import deque
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from .map import MapResult, Plan, Window, check_result, make_result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from chaojiyuyan_core.http import Flow

    from .job import Job

T = TypeVar("T")

MAX_WAIT = 1.0
"""Maximum seconds for which the reader's thread blocks before it can be interrupted."""


def map_on_threads(
    plan: Plan,
    inputs: Iterable[object],
    perform: Callable[[int, object, Callable[[], bool]], Job],
) -> Iterator[MapResult[Job]]:
    """Order a job for each input on threads, and yield the results.

    The inputs are taken on the reader's thread, when it asks for a result.

    Args:
        plan: The arguments of the map.
        inputs: The inputs, which may be infinite.
        perform: Orders the job for an input and waits for it, until its third argument returns
            true because the reader has closed the iterator.
    """
    window: Window[Job] = Window(plan.concurrency, ordered=plan.ordered)
    source, threads = _Source(inputs), _Threads(perform)
    try:
        while True:
            threads.wanted = window.wanted
            window.put(threads.ended())
            if (ready := window.pop()) is not None:
                yield check_result(ready, plan)
            elif window.has_room and source.advance():
                threads.start(window.take(), source.item)
            elif window.is_empty:
                break
            else:
                threads.wait()
        source.raise_error()
    finally:
        threads.close()


class _Source:
    """The inputs of a map, one at a time. Their exception is raised after the results."""

    def __init__(self, inputs: Iterable[object]) -> None:
        self._iterator = iter(inputs)
        self._has_ended = False
        self._error: Exception | None = None
        self.item: object = None

    def advance(self) -> bool:
        """Store the next input in `item`, or return False at the end."""
        if not self._has_ended:
            try:
                self.item = next(self._iterator)
            except StopIteration:
                self._has_ended = True
            except Exception as error:  # noqa: BLE001  (raised after the results)
                self._has_ended, self._error = True, error
        return not self._has_ended

    def raise_error(self) -> None:
        if self._error is not None:
            raise self._error


class _Threads:
    """A pool of daemon threads, which grows to the number of open inputs.

    Attributes:
        wanted: The index of the result that the reader waits for; None for any. Other results do
            not wake the reader, because each wake-up costs a thread switch.
    """

    def __init__(self, perform: Callable[[int, object, Callable[[], bool]], Job]) -> None:
        self._perform = perform
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._results: deque[MapResult[Job]] = deque()
        self._news: SimpleQueue[None] = SimpleQueue()
        self._interruption: BaseException | None = None
        self.wanted: int | None = None
        self._is_left = threading.Event()
        self._open = 0
        self._count = 0

    def start(self, index: int, item: object) -> None:
        self._open += 1
        context = contextvars.copy_context()  # each order is part of the reader's trace
        self._work.put(lambda: context.run(self._order, index, item))
        if self._count < self._open:
            # A daemon, so that the program can exit during a wait.
            thread = threading.Thread(target=self._serve, name="chaojiyuyan-map", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the system has no thread left, so those that run take turns
                if self._count == 0:
                    raise
            else:
                self._count += 1

    def ended(self) -> Iterator[MapResult[Job]]:
        if self._interruption is not None:
            raise self._interruption
        while self._results:
            self._open -= 1
            yield self._results.popleft()

    def wait(self) -> None:
        """Wait for the wanted result, or return at once when it is already there."""
        while True:
            with contextlib.suppress(Empty):  # on Windows, Ctrl-C does not end a wait
                return self._news.get(timeout=MAX_WAIT)

    def close(self) -> None:
        self._is_left.set()
        for _ in range(self._count):
            self._work.put(None)

    def _serve(self) -> None:
        while (task := self._work.get()) is not None:
            task()

    def _order(self, index: int, item: object) -> None:
        job, error = None, None
        try:
            if self._is_left.is_set():
                return
            job = self._perform(index, item, self._is_left.is_set)
        except Exception as caught:  # noqa: BLE001  (it is the result of this input)
            error = caught
        except BaseException as caught:  # noqa: BLE001  (raised to the reader)
            self._interruption = caught
            self._news.put(None)
            return
        self._results.append(make_result(index, item, job, error))
        # The reader sets `wanted` before it looks for results, so no result is missed.
        if self.wanted is None or self.wanted == index:
            self._news.put(None)


class _Abandoned(Exception):
    """The reader has closed the iterator, so the flow stops."""


def until_left(flow: Flow[T], is_left: Callable[[], bool]) -> Flow[T]:
    """Run a flow until the reader has closed the iterator.

    Args:
        flow: Orders a job and waits for it.
        is_left: Returns whether the reader has closed the iterator.
    """
    reply = None
    try:
        while True:
            step = flow.send(reply)
            if is_left():
                raise _Abandoned
            reply = yield step
    except StopIteration as end:
        value: T = end.value
        return value
    finally:
        flow.close()
