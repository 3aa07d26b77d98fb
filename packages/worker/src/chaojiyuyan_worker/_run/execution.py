"""Where handlers run: this thread, one event loop, or an executor that was handed in."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from chaojiyuyan_core.errors import WorkerError
from chaojiyuyan_worker.task import TaskContext

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Mapping
    from concurrent.futures import Executor, Future

    from chaojiyuyan_core.models import Artifact

    from .handlers import Handler
    from .runtime import Runtime


class ExecutorBroken(WorkerError):
    """The executor of a handler broke; it takes no more work. The cause says how."""


class Execution:
    """Runs handlers, each until it returns: a slot is not free while its handler still runs.

    :param runtime: gives threads and the event loop.
    :param executor: runs every handler that has none of its own; None for no executor.
    """

    def __init__(self, runtime: Runtime, executor: Executor | None = None) -> None:
        self._runtime = runtime
        self._executor = executor
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = runtime.lock()

    def run(self, handler: Handler, task: TaskContext) -> object:
        """Run a handler on a task and return its output.

        :raises ExecutorBroken: the executor broke.
        :raises BaseException: whatever the handler raises.
        """
        executor = handler.executor or self._executor
        if executor is not None:
            return self._run_on(executor, handler, task)
        if handler.is_async:
            return self._run_on_loop(handler, task)
        return _call(handler.function, task)

    def close(self) -> None:
        """Stop the event loop; an executor that was handed in is not ours to shut down."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)

    def _run_on(self, executor: Executor, handler: Handler, task: TaskContext) -> object:
        from concurrent.futures import BrokenExecutor, ThreadPoolExecutor

        # Its subclasses may be something else: InterpreterPoolExecutor is one.
        here = type(executor) is ThreadPoolExecutor
        future: Future[Any]
        try:
            if here:
                future = executor.submit(_call, handler.function, task)
            else:
                # The arguments tell every run from every other, since Dask runs equal calls once.
                future = executor.submit(run_elsewhere, handler.function, task.to_plain())
        except Exception as error:
            raise ExecutorBroken(f"{type(error).__name__}: {error}") from error
        try:
            result = self._result(future)
        except BrokenExecutor as error:
            raise ExecutorBroken(f"{type(error).__name__}: {error}") from error
        if here:
            return result
        output, task.artifacts = result
        return output

    def _run_on_loop(self, handler: Handler, task: TaskContext) -> object:
        import asyncio

        loop = self._running_loop()

        async def call() -> tuple[object, BaseException | None]:
            try:
                return await handler.function(task), None
            except (SystemExit, KeyboardInterrupt) as error:
                return None, error  # raised here it would end the loop, and hang all the others

        async def run() -> tuple[object, BaseException | None]:
            # Its own asyncio task, so that cancelling waits for what the coroutine does about it.
            inner = asyncio.ensure_future(call())
            task.on_cancel(lambda: loop.call_soon_threadsafe(inner.cancel))
            return await inner

        output, leave = self._result(asyncio.run_coroutine_threadsafe(run(), loop))
        if leave is not None:
            raise leave
        return output

    def _result(self, future: Future[Any]) -> Any:
        done = self._runtime.event()
        future.add_done_callback(lambda _: done.set())
        done.wait()
        return future.result()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                loop = self._runtime.new_event_loop()
                self._runtime.start(partial(_serve, loop), name="chaojiyuyan-loop")
                self._loop = loop
            return self._loop


def run_elsewhere(
    function: Callable[[TaskContext], object], data: Mapping[str, Any]
) -> tuple[object, list[Artifact]]:
    """Run a handler in the process of an executor; return its output and what it attached.

    :param function: the handler, which the process can import.
    :param data: the task, from :meth:`TaskContext.to_plain`.
    """
    _leave_interrupts_to_parent()
    task = TaskContext.from_plain(data)
    return _call(function, task), task.artifacts


def _call(function: Callable[[TaskContext], object], task: TaskContext) -> object:
    """Call a handler where no event loop of ours is: a coroutine gets one of its own."""
    import inspect

    try:
        result = function(task)
        if inspect.iscoroutine(result):
            import asyncio

            return asyncio.run(cast("Coroutine[object, object, object]", result))
    except Exception:
        raise
    except BaseException as error:
        import asyncio
        import concurrent.futures

        # asyncio's is no Exception and would end the worker; this one is a handler's failure.
        if isinstance(error, asyncio.CancelledError):
            raise concurrent.futures.CancelledError(*error.args) from error
        raise
    return result


def _leave_interrupts_to_parent() -> None:
    """Ignore Ctrl-C in a child: the terminal sends it to both, and the parent drains."""
    import multiprocessing
    import signal

    if multiprocessing.parent_process() is not None:
        with suppress(ValueError):  # not the main thread: Ctrl-C does not reach it
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    import asyncio

    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
