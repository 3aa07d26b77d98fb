"""One run of a worker: its threads, wired up, from the first poll to the last submit."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from chaojiyuyan_core.errors import WorkerError
from chaojiyuyan_worker._observe.health import STALLED, Health
from chaojiyuyan_worker._observe.telemetry import telemetry
from chaojiyuyan_worker.leases import LeaseKeeper

from .execution import Execution
from .jobs import Jobs
from .offers import Offers
from .polling import Polling
from .shutdown import SignalWatch, end_process

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .handlers import Handler
    from .options import RunOptions
    from .runtime import Runtime
    from .wire import NewWire

log = logging.getLogger(__name__)

LAST_CHANCE = 1.0
"""Seconds that handlers get to heed their cancellation when the time to drain is over."""

TICK = 1.0


class Run:
    """Polls, and works what is offered, until it is stopped.

    Args:
        runtime: Gives threads, locks, clocks and chance.
        new_wire: Makes a wire with so many connections; the run closes it.
        options: What the run is told.
        handlers: The handlers by capability.
    """

    def __init__(
        self,
        runtime: Runtime,
        new_wire: NewWire,
        options: RunOptions,
        handlers: Mapping[str, Handler],
    ) -> None:
        concurrency = options.concurrency
        limits = {key: handler.concurrency or concurrency for key, handler in handlers.items()}
        self._runtime = runtime
        self._new_wire = new_wire
        self._slots = max(concurrency, *limits.values())
        self._grace = options.graceful_shutdown_timeout
        self._poll_wire = new_wire(1)
        self._heartbeat_wire = new_wire(1000)
        self.offers = Offers(limits, self._slots, runtime)
        self.polling = Polling(
            self._poll_wire,
            self.offers,
            list(handlers),
            interval=options.poll_interval,
            register=options.auto_register,
            runtime=runtime,
        )
        self._keeper = LeaseKeeper(
            self._heartbeat_wire, interval=options.heartbeat_interval, runtime=runtime
        )
        self._execution = Execution(runtime, options.executor)
        self._jobs = Jobs(
            handlers,
            self.offers,
            self._keeper,
            self._execution,
            options.publishing,
            options.max_retries,
            self.polling.lost_registration,
            telemetry(),
            runtime,
        )
        self._lock = runtime.lock()
        self._stopping = False
        self._abandoned: list[str] = []
        self._leaving = False
        self._finished = runtime.event()
        self._fatal: BaseException | None = None

    def run(self, *, once: bool) -> None:
        """Work until :meth:`stop`, or one polling cycle.

        :raises HebingAPIError: the key is rejected.
        :raises WorkerNotEnabled: nothing is registered, nor to be registered.
        :raises ExecutorBroken: an executor takes no more work.
        :raises WorkerError: jobs were abandoned, since they took longer than the grace.
        """
        self._runtime.start(partial(self._poll, once), name="chaojiyuyan-poll")
        try:
            with SignalWatch(self._runtime, self._stop_by_signal):
                if self._slots == 1:
                    self._serve_slot()
                else:
                    self._serve_slots()
        finally:
            self._finished.set()
            self.offers.close()
            self._keeper.close(self._heartbeat_wire.close)
            self._execution.close()
        error = self._fatal or self.polling.fatal
        if error is not None:
            raise error
        if self._abandoned:
            raise WorkerError(
                f"abandoned after {self._grace:g} s of draining: {', '.join(self._abandoned)}"
            )

    def stop(self) -> None:
        """Poll no more; :meth:`run` returns when what is in hand is done. From any thread."""
        self._stop(self._abandon)

    def health(self) -> Health:
        """Return how this run does."""
        draining = self.offers.closed
        return Health(
            # The poll has ended by then, and what is in hand may take its time.
            live=draining or self._runtime.clock() - self.polling.advanced_at < STALLED,
            ready=self.polling.succeeded and not draining,
            draining=draining,
            jobs_in_hand=len(self.offers.in_hand),
        )

    def _stop_by_signal(self) -> None:
        self._stop(self._abandon_or_exit)

    def _stop(self, at_last: Callable[[], None]) -> None:
        with self._lock:
            if self._stopping:
                return
            self._stopping = True
        self.offers.close()

        def limit() -> None:
            if not self._finished.wait(self._grace):
                at_last()

        self._runtime.start(limit, name="chaojiyuyan-drain")

    def _abandon(self) -> None:
        """Let go of what is still in hand: the platform gives it to another worker."""
        self._abandoned = self.offers.in_hand
        log.error("abandoned after %g s of draining: %s", self._grace, ", ".join(self._abandoned))
        self._keeper.close()
        self._finished.wait(LAST_CHANCE)
        self._leaving = True

    def _abandon_or_exit(self) -> None:
        self._abandon()
        # A handler on the main thread cannot be left; one on another thread is, by run().
        if not self._finished.wait(LAST_CHANCE):
            end_process(1)

    def _poll(self, once: bool) -> None:
        """Poll until the end; a poll that is held back then is abandoned, and closes up after."""
        try:
            self.polling.run(once=once)
        finally:
            self._poll_wire.close()

    def _serve_slots(self) -> None:
        slots = [
            self._runtime.start(self._serve_slot, name=f"chaojiyuyan-slot-{n}")
            for n in range(1, self._slots + 1)
        ]
        for slot in slots:
            while slot.is_alive() and not self._leaving:
                slot.join(TICK)

    def _serve_slot(self) -> None:
        wire = self._new_wire(1)
        try:
            while (offer := self.offers.take()) is not None:
                self._jobs.work(offer, wire)
        except BaseException as error:  # noqa: BLE001 - run() raises it
            with self._lock:
                self._fatal = self._fatal or error
            self.offers.close()
        finally:
            wire.close()
