"""One run of a worker: its threads, wired up, from the first poll to the last submit."""

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
"""Seconds that handlers get to heed their cancellation when the time to drain is over."""

MAX_HEARTBEAT_CONNECTIONS = 1000

TICK = 1.0
"""Seconds between two looks at the threads of the slots."""


class Run:
    """Polls, and works what is offered, until it is stopped.

    Attributes:
        slot_count: How many jobs may run at a time.

    Args:
        runtime: Gives threads, locks, clocks and chance.
        new_wire: Makes a wire with at most so many connections; the run closes it.
        options: What the run is told.
        handlers: The handlers by capability.
        given_up: The jobs that the worker gave up before this run.
        new_lifespan: Makes what is opened around the run, or None.
        metrics: Told about every job and heartbeat, besides OpenTelemetry.
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
        """Work until :meth:`stop`, or one polling cycle.

        Args:
            once: Poll once and work off what it offers.

        Raises:
            HebingAPIError: The API refuses the key; with ``once``, also another error of the poll.
            WorkerNotEnabled: Nothing is registered, nor to be registered.
            ExecutorBroken: An executor takes no more work.
            WorkerError: Jobs were abandoned, since they took longer than the shutdown may.
            BaseException: The lifespan raises.
        """
        self._once = once
        if self._lifespan is not None:
            self._open(self._lifespan)
        self._supervisor.add("chaojiyuyan-drain", self._limit_drain)
        self._supervisor.add("chaojiyuyan-poll", self._poll)
        try:
            with SignalWatch(self._runtime, self._supervisor, self._stop_by_signal):
                # A single slot serves on this thread, which then looks after no other.
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
                # What handlers that were abandoned still use stays open.
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
        """Poll no more; :meth:`run` returns when the running jobs are done. From any thread."""
        self._offers.close()
        self._stopping.set()

    def health(self) -> Health:
        """Return how this run does."""
        draining = self._offers.is_closed
        problems = [*self._supervisor.problems, *self._slots.problems]
        if self._keeper.problem:
            problems.append(self._keeper.problem)
        # While it drains, the poll has ended, and the running jobs may take their time.
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
        """Seconds since the poll last made a step."""
        return self._runtime.clock() - self._polling.advanced_at

    def _check(self) -> bool:
        """Revive internal threads; return whether jobs can be taken on: heartbeats work."""
        return self._supervisor.check() and self._keeper.problem is None

    def _stop_by_signal(self) -> None:
        self._by_signal = True
        self.stop()

    def _end_by(self, error: BaseException) -> None:
        """Stop for an error that :meth:`run` raises; the running jobs are finished as in a stop."""
        with self._lock:
            self._fatal = self._fatal or error
        self.stop()

    def _limit_drain(self) -> None:
        """Wait for the stop, and give up what still runs when the time to drain is over."""
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
        # A handler on the main thread cannot be left; one on another thread is, by run().
        if self._by_signal and not self._finished.wait(LAST_CHANCE_SECONDS):
            end_process(1)

    def _poll(self) -> None:
        """Poll until the end. A poll that is held then is abandoned, and closes up afterwards."""
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
        except BaseException as error:  # noqa: BLE001 - run() raises it
            self._end_by(error)
        finally:
            wire.close()
