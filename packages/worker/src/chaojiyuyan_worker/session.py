"""One run of a worker: its threads, wired up, from the first poll to the last submit."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from chaojiyuyan_core.errors import WorkerError

from .execution import Execution
from .health import STALLED, Health
from .jobs import Jobs, Publishing
from .leases import LeaseKeeper, boot_clock
from .offers import Offers
from .polling import Polling
from .shutdown import SignalWatch, end_process
from .telemetry import telemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Executor

    from chaojiyuyan_core.transport import Transport

    from .handlers import Handler
    from .wire import Wire

log = logging.getLogger(__name__)

LAST_CHANCE = 1.0
"""Seconds that handlers get to heed their cancellation when the time to drain is over."""

TICK = 1.0


class Session:
    """Polls, and works what is offered, until it is stopped.

    :param handlers: by capability.
    :param new_transport: makes a transport with so many connections; it is closed here.
    :param new_wire: makes what one slot sends by; it is closed here.
    :param concurrency: how many jobs may be in hand at a time.
    :param executor: runs handlers that have none of their own.
    :param publishing: how outputs are published.
    :param poll_interval: seconds between idle polls.
    :param heartbeat_interval: seconds between the beats of a lease.
    :param max_retries: how often a handler that failed is run again.
    :param auto_register: register the capabilities.
    :param grace: seconds that jobs in hand may take once it is stopped.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        new_transport: Callable[[int], Transport],
        new_wire: Callable[[], Wire],
        *,
        concurrency: int,
        executor: Executor | None,
        publishing: Publishing,
        poll_interval: float,
        heartbeat_interval: float,
        max_retries: int,
        auto_register: bool,
        grace: float,
    ) -> None:
        limits = {key: handler.concurrency or concurrency for key, handler in handlers.items()}
        self._slots = max(concurrency, *limits.values())
        self._new_wire = new_wire
        self._grace = grace
        self._poll_transport = new_transport(1)
        self._beat_transport = new_transport(1000)
        self.offers = Offers(limits, self._slots, clock=boot_clock)
        self.polling = Polling(
            self._poll_transport,
            self.offers,
            list(handlers),
            interval=poll_interval,
            register=auto_register,
            clock=boot_clock,
        )
        self._keeper = LeaseKeeper(self._beat_transport, interval=heartbeat_interval)
        self._execution = Execution(executor)
        self._jobs = Jobs(
            handlers,
            self.offers,
            self._keeper,
            self._execution,
            publishing,
            max_retries,
            self.polling.lost_registration,
            telemetry(),
        )
        self._lock = threading.Lock()
        self._stopping = False
        self._abandoned: list[str] = []
        self._leaving = False
        self._finished = threading.Event()
        self._fatal: BaseException | None = None

    def run(self, *, once: bool) -> None:
        """Work until :meth:`stop`, or one polling cycle.

        :raises HebingAPIError: the key is rejected.
        :raises WorkerNotEnabled: nothing is registered, nor to be registered.
        :raises ExecutorBroken: an executor takes no more work.
        :raises WorkerError: jobs were abandoned, since they took longer than the grace.
        """
        threading.Thread(
            target=self._poll, args=(once,), name="chaojiyuyan-poll", daemon=True
        ).start()
        try:
            with SignalWatch(self._stop_by_signal):
                if self._slots == 1:
                    self._serve_slot()
                else:
                    self._serve_slots()
        finally:
            self._finished.set()
            self.offers.close()
            self._keeper.close(self._beat_transport.close)
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
            live=draining or boot_clock() - self.polling.advanced_at < STALLED,
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

        threading.Thread(target=limit, name="chaojiyuyan-drain", daemon=True).start()

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
            self._poll_transport.close()

    def _serve_slots(self) -> None:
        slots = [
            threading.Thread(target=self._serve_slot, name=f"chaojiyuyan-slot-{n}", daemon=True)
            for n in range(1, self._slots + 1)
        ]
        for slot in slots:
            slot.start()
        for slot in slots:
            while slot.is_alive() and not self._leaving:
                slot.join(TICK)

    def _serve_slot(self) -> None:
        wire = self._new_wire()
        try:
            while (offer := self.offers.take()) is not None:
                self._jobs.work(offer, wire)
        except BaseException as error:  # noqa: BLE001 - run() raises it
            with self._lock:
                self._fatal = self._fatal or error
            self.offers.close()
        finally:
            wire.close()
