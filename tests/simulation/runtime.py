"""The worker's ``Runtime`` in virtual time: one object for each simulated process."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor, Future
from datetime import datetime, timedelta, timezone
from random import Random
from typing import TYPE_CHECKING, Any

from .scheduler import FOREVER
from .server import EPOCH
from .sync import SimCondition, SimEvent, SimLock, SimQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from .scheduler import Process, Scheduler, SimThread


class SimRuntime:
    """The runtime of a simulated process.

    Args:
        scheduler: Runs the threads.
        process: The process of the threads.
        seed: The seed of its random numbers.
        wall_offset: Seconds by which its wall clock is wrong.
        thread_failures: The probability, 0 to 1, that a thread does not start, until ``calm_at``.
        calm_at: Virtual time from which every thread starts.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        process: Process,
        seed: str,
        *,
        wall_offset: float = 0.0,
        thread_failures: float = 0.0,
        calm_at: float = 0.0,
    ) -> None:
        self._scheduler = scheduler
        self.process = process
        self._random = Random(f"process {seed}")
        self._wall_offset = wall_offset
        self._thread_failures = thread_failures
        self._calm_at = calm_at
        self.main: SimThread | None = None

    def start(self, target: Callable[[], object], *, name: str) -> StartedThread:
        """Start a thread.

        Raises:
            RuntimeError: The thread could not be started, as on a machine with too many threads.
        """
        scheduler = self._scheduler
        if scheduler.now < self._calm_at and self._random.random() < self._thread_failures:
            scheduler.note(f"can't start {name}")
            raise RuntimeError("can't start new thread")
        return StartedThread(scheduler, scheduler.spawn(self.process, name, target))

    def lock(self) -> SimLock:
        """Return a new lock."""
        return SimLock(self._scheduler)

    def condition(self, lock: SimLock | None = None) -> SimCondition:
        """Return a new condition."""
        return SimCondition(self._scheduler, lock)

    def event(self) -> SimEvent:
        """Return a new event."""
        return SimEvent(self._scheduler)

    def queue(self) -> SimQueue:
        """Return a new queue."""
        return SimQueue(self._scheduler)

    def clock(self) -> float:
        """Return the virtual time in seconds. Like a boot clock, it started long before the run."""
        return 1000.0 + self._scheduler.now

    def now(self) -> datetime:
        """Return this process's wall clock."""
        seconds = EPOCH + self._scheduler.now + self._wall_offset
        return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=seconds)

    def cpu_time(self) -> float:
        """Return 0: virtual time costs nothing."""
        return 0.0

    def sleep(self, seconds: float) -> None:
        """Pause the calling thread."""
        self._scheduler.sleep(seconds)

    def random(self) -> float:
        """Return a random number from 0 up to 1."""
        return self._random.random()

    def is_main_thread(self) -> bool:
        """Return False: a simulated process has no signals."""
        return False

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """Return an event loop that waits in virtual time."""
        return SimLoop(self._scheduler)


class StartedThread:
    """A simulated started :class:`threading.Thread`."""

    def __init__(self, scheduler: Scheduler, thread: SimThread) -> None:
        self._scheduler = scheduler
        self._thread = thread
        self._ended = SimEvent(scheduler)
        thread.on_end.append(self._ended.set)

    @property
    def name(self) -> str:
        """The thread's name."""
        return self._thread.name

    def is_alive(self) -> bool:
        """Return whether it still runs."""
        return not self._thread.done

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has ended."""
        if not self._thread.done:
            self._ended.wait(timeout)


class SimExecutor(Executor):
    """An executor whose workers are simulated threads.

    Args:
        runtime: Starts the threads.
        workers: The maximum number of functions that run at a time.
    """

    def __init__(self, runtime: SimRuntime, scheduler: Scheduler, workers: int) -> None:
        self._runtime = runtime
        self._scheduler = scheduler
        self._max_workers = workers
        self._running = 0
        self._queued: list[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]] = []

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a function once a worker is free."""
        future: Future[Any] = Future()
        self._queued.append((future, lambda: function(*args, **kwargs), ()))
        self._pump()
        return future

    def _pump(self) -> None:
        while self._queued and self._running < self._max_workers:
            future, function, _ = self._queued.pop(0)
            if not future.set_running_or_notify_cancel():
                continue
            self._running += 1
            self._scheduler.spawn(
                self._runtime.process, "executor", lambda f=future, g=function: self._run(f, g)
            )

    def _run(self, future: Future[Any], function: Callable[..., Any]) -> None:
        try:
            result = function()
        except Exception as error:
            self._running -= 1
            future.set_exception(error)
        else:
            self._running -= 1
            future.set_result(result)
        self._pump()


class _SimSelector:
    """The selector of the event loop."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._woken = False
        self._waiting: tuple[SimThread, int] | None = None

    def select(self, timeout: float | None) -> list[Any]:
        """Wait until :meth:`wake` or until the time passes."""
        scheduler = self._scheduler
        me = scheduler.me()
        if not self._woken and (timeout is None or timeout > 0):
            self._waiting = (me, me.token + 1)
            scheduler.park(FOREVER if timeout is None else scheduler.now + timeout)
            self._waiting = None
        self._woken = False
        return []

    def wake(self) -> None:
        """End the wait."""
        self._woken = True
        if self._waiting is not None:
            self._scheduler.wake(*self._waiting, True)

    def get_map(self) -> dict[Any, Any]:
        """Return no registered files."""
        return {}


class SimLoop(asyncio.BaseEventLoop):
    """An asyncio event loop of a simulated thread; it has no sockets."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__()
        self._scheduler = scheduler
        self._selector = _SimSelector(scheduler)

    def run_forever(self) -> None:
        """Run until it is stopped."""
        self._scheduler.me().event_loop = self
        super().run_forever()
        asyncio.set_event_loop(self)

    def time(self) -> float:
        """Return the virtual time."""
        return self._scheduler.now

    def _process_events(self, event_list: list[Any]) -> None:
        """Do nothing: there are no sockets."""

    def _write_to_self(self) -> None:
        self._selector.wake()
