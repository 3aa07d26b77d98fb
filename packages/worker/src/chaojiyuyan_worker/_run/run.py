"""One run of a worker with all its threads, from the first poll to the last submit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaojiyuyan_core.errors import WorkerError
from chaojiyuyan_worker._observe.health import STALLED_SECONDS, Health
from chaojiyuyan_worker._observe.logger import get_logger
from chaojiyuyan_worker._observe.telemetry import Telemetry, WithOpenTelemetry
from chaojiyuyan_worker.leases import LeaseKeeper

from .capacity import Capacity
from .execution import Execution
from .given_up import GivenUp
from .job import Parts
from .offers import Offers
from .polling import Polling
from .shutdown import SignalWatch, end_process
from .slot import Bidding, Slot
from .supervision import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .handlers import Handler
    from .lifespan import Lifespan
    from .options import RunOptions
    from .runtime import Runtime
    from .wire import NewWire

log = get_logger(__name__)

LAST_CHANCE_SECONDS = 1.0
"""Seconds for handlers to react to their cancellation after the graceful shutdown timeout."""

MAX_HEARTBEAT_CONNECTIONS = 1000

TICK = 1.0
"""Seconds between two checks of the threads of the slots."""


class Run:
    """Polls for jobs and runs them until it is stopped.

    Attributes:
        slot_count: Maximum number of running jobs.

    Args:
        runtime: Provides threads, locks, clocks and random numbers.
        new_wire: Makes a wire with a maximum number of connections. The run closes it.
        options: The options of the run.
        handlers: The handlers by capability.
        given_up: The jobs that the worker gave up before this run.
        new_lifespan: Makes the lifespan of the run, or None.
        metrics: Records every job and heartbeat, in addition to OpenTelemetry.
    """

    def __init__(
        self,
        runtime: Runtime,
        new_wire: NewWire,
        options: RunOptions,
        handlers: Mapping[str, Handler],
        given_up: GivenUp | None = None,
        new_lifespan: Callable[[Execution], Lifespan] | None = None,
        metrics: Telemetry | None = None,
    ) -> None:
        self._runtime = runtime
        self._new_wire = new_wire
        self._grace = options.graceful_shutdown_timeout
        self._supervisor = Supervisor(runtime)
        self._slots = Supervisor(runtime)
        self._poll_wire = new_wire(1)
        self._heartbeat_wire = new_wire(MAX_HEARTBEAT_CONNECTIONS)
        capacity = Capacity.of(handlers, options)
        self.slot_count = capacity.slots
        self._offers = Offers(capacity, given_up or GivenUp(runtime.clock), runtime)
        told = WithOpenTelemetry(metrics or Telemetry(), runtime.lock())
        self._keeper = LeaseKeeper(
            self._heartbeat_wire,
            interval=options.heartbeat_interval,
            runtime=runtime,
            supervisor=self._supervisor,
            on_heartbeat=told.heartbeat,
        )
        self._execution = Execution(runtime, options.executor, self._supervisor)
        if any(handler.is_async and not handler.executor for handler in handlers.values()):
            self._execution.prepare()
        self._lifespan = new_lifespan(self._execution) if new_lifespan is not None else None
        self._polling = Polling(
            self._poll_wire,
            self._offers,
            list(handlers),
            options,
            runtime,
            check=self._check,
        )
        self._parts = Parts(
            runtime,
            options,
            handlers,
            self._offers,
            self._keeper,
            self._execution,
            told,
            self._lifespan,
        )
        self._bidding = Bidding(self._parts, self._polling.lose_registration)
        self._lock = runtime.lock()
        self._stopping = runtime.event()
        self._finished = runtime.event()
        self._by_signal = False
        self._leaving = False
        self._once = False
        self._abandoned: list[str] = []
        self._fatal: BaseException | None = None

    def run(self, *, once: bool) -> None:
        """Run until :meth:`stop`, or for one poll.

        Args:
            once: Whether to poll once and run only the offered jobs.

        Raises:
            HebingAPIError: The API refuses the key; with ``once``, also another error of the poll.
            WorkerNotEnabled: No capability is registered, and ``auto_register`` is false.
            ExecutorBroken: An executor accepts no more work.
            WorkerError: Jobs were abandoned after the graceful shutdown timeout.
            BaseException: The exception of the lifespan.
        """
        self._once = once
        if self._lifespan is not None:
            self._open(self._lifespan)
        self._supervisor.add("chaojiyuyan-drain", self._limit_drain)
        self._supervisor.add("chaojiyuyan-poll", self._poll)
        try:
            with SignalWatch(self._runtime, self._supervisor, self._stop_by_signal):
                # A single slot uses this thread, which then cannot supervise the others.
                while not (self._supervisor.check() or self._stopping.is_set()):
                    self._runtime.sleep(TICK)
                if self.slot_count == 1:
                    self._serve_slot()
                else:
                    self._serve_slots()
        finally:
            self._finished.set()
            self._stopping.set()
            self._offers.close()
            self._keeper.close(self._heartbeat_wire.close)
            try:
                # The lifespan stays open when abandoned handlers may still use it.
                if self._lifespan is not None and not self._abandoned:
                    self._lifespan.close()
            finally:
                self._execution.close()
        if self._fatal is not None:
            raise self._fatal
        if self._abandoned:
            raise WorkerError(
                f"abandoned after {self._grace:g} s of draining: {', '.join(self._abandoned)}"
            )

    def _open(self, lifespan: Lifespan) -> None:
        try:
            lifespan.open()
        except BaseException:
            self._execution.close()
            self._poll_wire.close()
            self._heartbeat_wire.close()
            raise

    def stop(self) -> None:
        """Stop polling, from any thread. :meth:`run` returns when the running jobs are done."""
        self._offers.close()
        self._stopping.set()

    def health(self) -> Health:
        """Return the health of this run."""
        draining = self._offers.is_closed
        problems = [*self._supervisor.problems, *self._slots.problems]
        if self._keeper.problem:
            problems.append(self._keeper.problem)
        # During draining the poll loop has ended, so its age does not matter.
        live = (draining or self.poll_age < STALLED_SECONDS) and not problems
        return Health(
            live=live,
            ready=live and self._polling.succeeded and not draining,
            draining=draining,
            running_jobs=len(self._offers.running),
            problems=tuple(problems),
        )

    @property
    def poll_age(self) -> float:
        """Seconds since the last progress of the poll loop."""
        return self._runtime.clock() - self._polling.advanced_at

    def _check(self) -> bool:
        """Restart internal threads, and return whether the worker can take jobs."""
        return self._supervisor.check() and self._keeper.problem is None

    def _stop_by_signal(self) -> None:
        self._by_signal = True
        self.stop()

    def _end_by(self, error: BaseException) -> None:
        """Stop because of an error, which :meth:`run` raises after the running jobs are done."""
        with self._lock:
            self._fatal = self._fatal or error
        self.stop()

    def _limit_drain(self) -> None:
        """Wait for the stop, and abandon the running jobs after the graceful shutdown timeout."""
        self._stopping.wait()
        if self._finished.wait(self._grace):
            return
        # The platform gives these jobs to another worker.
        self._abandoned = self._offers.running
        jobs = ", ".join(self._abandoned)
        log.error("abandoned after %g s of draining: %s", self._grace, jobs or "no job")
        self._keeper.close()
        self._finished.wait(LAST_CHANCE_SECONDS)
        self._leaving = True
        # run() returns without handlers on other threads, but not without one on the main thread.
        if self._by_signal and not self._finished.wait(LAST_CHANCE_SECONDS):
            end_process(1)

    def _poll(self) -> None:
        """Poll until the end. A long-poll at the end is abandoned, and closes its wire later."""
        error = self._polling.run_once() if self._once else self._polling.run()
        if error is not None and not self._offers.is_closed:
            self._end_by(error)
        if self._once:
            self._offers.put([], self._runtime.clock(), more=False, last=True)
        self._poll_wire.close()

    def _serve_slots(self) -> None:
        services = [
            self._slots.add(f"chaojiyuyan-slot-{number}", self._serve_slot)
            for number in range(1, self.slot_count + 1)
        ]
        while not self._leaving:
            serving = [service for service in services if not service.returned]
            if not serving:
                return
            self._slots.check()
            self._supervisor.check()
            if serving[0].is_alive:
                serving[0].join(TICK)
            else:
                self._runtime.sleep(TICK)

    def _serve_slot(self) -> None:
        wire = self._new_wire(1)
        try:
            Slot(self._parts, self._bidding, wire).serve()
        except BaseException as error:  # noqa: BLE001 - run() raises it later
            self._end_by(error)
        finally:
            wire.close()
