"""Run handlers: on this thread, on an event loop, or in an executor of the author."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from chaojiyuyan_core.errors import WorkerError
from chaojiyuyan_worker.task import TaskContext

from .calling import call_handler
from .capacity import count_workers
from .cluster import Cluster, find_client
from .lifespan import ProcessState
from .runtime import max_wait
from .supervision import Supervisor

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Mapping
    from concurrent.futures import Executor, Future

    from chaojiyuyan_core.models import Artifact

    from .handlers import Handler
    from .runtime import Runtime
    from .supervision import Service

START_TICK = 0.1
"""Seconds between two checks whether a function has started in another process."""


class ExecutorBroken(WorkerError):
    """The executor of a handler is broken and accepts no more work. The cause has the reason."""


class NotStarted(Exception):
    """The lease was lost while the handler waited in the queue of its executor."""


class Execution:
    """Runs handlers until they return. A slot is not free while its handler runs.

    Args:
        runtime: Provides threads and the event loop.
        executor: The executor of handlers without their own; None for no executor.
        supervisor: Keeps the thread of the event loop running; a new one by default.
    """

    def __init__(
        self,
        runtime: Runtime,
        executor: Executor | None = None,
        supervisor: Supervisor | None = None,
    ) -> None:
        self._runtime = runtime
        self._executor = executor
        self._supervisor = supervisor or Supervisor(runtime)
        self._lock = runtime.lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._service: Service | None = None
        self._closed = False
        self._clusters: dict[object, Cluster] = {}

    def run(
        self, handler: Handler, task: TaskContext, *, on_start: Callable[[], object] = lambda: None
    ) -> object:
        """Run a handler on a task and return its output.

        Args:
            handler: The handler.
            task: The task. A handler in the queue of an executor does not start after its task was
                cancelled.
            on_start: Called when the handler starts.

        Raises:
            ExecutorBroken: The executor is broken.
            BaseException: The exception of the handler.
        """
        executor = handler.executor or self._executor
        if executor is not None and (client := find_client(executor)) is not None:
            on_start()
            return self._run_on_cluster(client, executor, handler, task)
        if executor is not None:
            return self._run_on(executor, handler, task, on_start)
        on_start()
        if handler.is_async:
            return self._run_on_loop(handler, task)
        return call_handler(handler.call, task)

    def close(self) -> None:
        """Stop the event loop. Executors are not shut down, because the author owns them."""
        with self._lock:
            self._closed = True
            clusters = list(self._clusters.values())
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._loop.stop)
        for cluster in clusters:
            cluster.close()

    def _run_on(
        self,
        executor: Executor,
        handler: Handler,
        task: TaskContext,
        on_start: Callable[[], object],
    ) -> object:
        from concurrent.futures import BrokenExecutor, CancelledError, ThreadPoolExecutor

        # Not its subclasses, such as InterpreterPoolExecutor, which do not share memory.
        here = type(executor) is ThreadPoolExecutor
        future: Future[Any]
        try:
            if here:
                future = executor.submit(_start, handler.call, task, on_start)
            else:
                # The arguments are unique for each run, because Dask runs equal calls only once.
                future = executor.submit(run_elsewhere, handler.call, task.to_plain())
        except Exception as error:
            raise ExecutorBroken(f"{type(error).__name__}: {error}") from error
        shows_start = None
        if count_workers(executor) is None:
            on_start()
        else:
            # Not for a cluster, whose future is cancelled at once while its function still runs.
            task.on_cancel(future.cancel)
            shows_start = None if here else on_start
        try:
            result = self._result(future, shows_start)
        except BrokenExecutor as error:
            raise ExecutorBroken(f"{type(error).__name__}: {error}") from error
        except CancelledError as error:
            if not future.cancelled():
                raise
            raise NotStarted("the lease was lost in the queue of the executor") from error
        if here:
            return result
        output, task.artifacts = result
        return output

    def _run_on_cluster(
        self, client: object, executor: Executor, handler: Handler, task: TaskContext
    ) -> object:
        from concurrent.futures import CancelledError

        def submit(*arguments: Any) -> Future[Any]:
            try:
                return executor.submit(*arguments)
            except Exception as error:
                raise ExecutorBroken(f"{type(error).__name__}: {error}") from error

        def wait(future: Future[Any]) -> Any:
            try:
                return self._result(future)
            except CancelledError as error:
                raise ExecutorBroken("the cluster cancelled the run of a handler") from error

        with self._lock:
            cluster = self._clusters.get(client)
            if cluster is None:
                cluster = self._clusters[client] = Cluster(client)
        return cluster.run(submit, handler.call, task, wait)

    def _run_on_loop(self, handler: Handler, task: TaskContext) -> object:
        import asyncio

        loop = self._running_loop()

        async def call() -> tuple[object, BaseException | None]:
            try:
                return await handler.call(task), None
            except (SystemExit, KeyboardInterrupt) as error:
                return None, error  # raising it here would stop the event loop for all handlers

        async def run() -> tuple[object, BaseException | None]:
            # A separate asyncio task, so that the cancellation waits for the coroutine's cleanup.
            inner = asyncio.ensure_future(call())
            task.on_cancel(lambda: loop.call_soon_threadsafe(inner.cancel))
            return await inner

        output, leave = self._result(asyncio.run_coroutine_threadsafe(run(), loop))
        if leave is not None:
            raise leave
        return output

    def _result(self, future: Future[Any], on_start: Callable[[], object] | None = None) -> Any:
        """Wait for a future, and call `on_start` when the executor shows that it has started."""
        done = self._runtime.event()
        future.add_done_callback(lambda _: done.set())
        while on_start is not None and not done.is_set():
            if future.running():
                on_start()
                on_start = None
            else:
                done.wait(START_TICK)
        while not done.wait(max_wait(self._runtime)):
            pass  # so that the main thread can handle signals
        return future.result()

    def start_coroutine(self, coroutine: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Start a coroutine on the event loop of the handlers, and return its future."""
        import asyncio

        return asyncio.run_coroutine_threadsafe(coroutine, self._running_loop())

    def call_on_loop(self, function: Callable[[], object]) -> None:
        """Call a function on the event loop of the handlers, without waiting."""
        self._running_loop().call_soon_threadsafe(function)

    def wait_for(self, future: Future[Any]) -> Any:
        """Wait for a future and return its result."""
        return self._result(future)

    def prepare(self) -> None:
        """Start the event loop, if it is not running."""
        with self._lock:
            if self._service is None:
                self._service = self._supervisor.add("chaojiyuyan-loop", self._serve_loop)
        self._service.ensure()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        self.prepare()
        with self._lock:
            if self._loop is None:
                self._loop = self._runtime.new_event_loop()
            return self._loop

    def _serve_loop(self) -> None:
        import asyncio

        with self._lock:
            if self._loop is None:
                self._loop = self._runtime.new_event_loop()
            loop = self._loop
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            with self._lock:
                self._loop = None
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()
        if not self._closed:
            raise RuntimeError("the event loop of the handlers was stopped by one of them")


def run_elsewhere(
    function: Callable[[TaskContext], object], data: Mapping[str, Any]
) -> tuple[object, list[Artifact]]:
    """Run a handler in a process of an executor, and return its output and artifacts.

    Args:
        function: The handler, which the process must be able to import.
        data: The task, from :meth:`TaskContext.to_plain`.
    """
    _leave_interrupts_to_parent()
    task = TaskContext.from_plain(data)
    task.state = ProcessState.value
    return call_handler(function, task), task.artifacts


def _start(
    function: Callable[[TaskContext], object], task: TaskContext, on_start: Callable[[], object]
) -> object:
    """Call a handler on a thread of an executor, unless its task is already cancelled."""
    if task.cancelled:
        raise NotStarted("the lease was lost in the queue of the executor")
    on_start()
    return call_handler(function, task)


def _leave_interrupts_to_parent() -> None:
    """Ignore Ctrl-C in a child process. The terminal sends it to both, and the parent drains."""
    import multiprocessing
    import signal

    if multiprocessing.parent_process() is not None:
        with suppress(ValueError):  # only the main thread can set it
            signal.signal(signal.SIGINT, signal.SIG_IGN)
