"""A slot: take an offer, bid on it, run the awarded job, and repeat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaojiyuyan_core import api
from chaojiyuyan_core.answers import Award, BidRefused, Undecided, read_bid
from chaojiyuyan_worker._observe.logger import describe, get_logger
from chaojiyuyan_worker.task import TaskContext

from .execution import ExecutorBroken
from .job import JobRun
from .pacing import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaojiyuyan_core.models import TaskInfo

    from .job import Parts
    from .wire import Wire

log = get_logger(__name__)

BID_SECONDS = 20.0
"""Timeout of a bid in seconds. It is short, because the lease starts when the bid is sent."""


class Bidding:
    """The shared knowledge of all slots about their bids.

    Args:
        parts: The objects that all jobs of the run share.
        on_unregistered: Called when the platform no longer knows the registration.
    """

    def __init__(self, parts: Parts, on_unregistered: Callable[[], object]) -> None:
        self._parts = parts
        self._on_unregistered = on_unregistered
        self._lock = parts.runtime.lock()
        self._backoff = Backoff()

    def note(self, offer: TaskInfo, reading: Award | BidRefused | Undecided) -> None:
        """Process the response to a bid.

        Args:
            offer: The offer.
            reading: The response.
        """
        labels = {"job_id": offer["job_id"], "capability_key": offer["capability_key"]}
        if isinstance(reading, Award):
            self._backoff.succeed()
            self._parts.offers.note_award()
        elif isinstance(reading, Undecided):
            # If the bid won, its lease expires and the job is offered again. A question to the
            # platform would not help, because other workers with the same key look the same.
            self._pause(reading.retry_after)
            log.warning("bid failed: %s", describe(reading.error), extra=labels)
        elif reading.is_unregistered:
            self._on_unregistered()
            self._pause(None)
            log.warning("bid refused: %s", reading.code, extra=labels)
        else:
            self._backoff.succeed()
            log.debug("bid refused: %s", reading.code, extra=labels)
            if reading.code == "already_awarded":
                self._parts.offers.note_rival()

    def _pause(self, retry_after: float | None) -> None:
        with self._lock:
            delay = self._backoff.fail(retry_after, self._parts.runtime.random())
        self._parts.offers.suspend(delay)


class Slot:
    """Runs one job at a time on its thread.

    Args:
        parts: The objects that all jobs of the run share.
        bidding: The shared knowledge of all slots.
        wire: Sends the bids and submits of this slot.
    """

    def __init__(self, parts: Parts, bidding: Bidding, wire: Wire) -> None:
        self._parts = parts
        self._bidding = bidding
        self._wire = wire

    def serve(self) -> None:
        """Take offers until no more come.

        Raises:
            ExecutorBroken: An executor accepts no more work.
            BaseException: A handler raised an exception that is not an ``Exception``.
        """
        offers = self._parts.offers
        while (offer := offers.take()) is not None:
            awarded = False
            try:
                awarded = self._work(offer)
            except ExecutorBroken:
                awarded = True
                raise
            except Exception:
                # An error in the SDK must not stop other jobs.
                log.exception("job failed", extra={"job_id": offer["job_id"]})
                offers.suspend(1.0)
            finally:
                offers.release(offer, worked=awarded)

    def _work(self, offer: TaskInfo) -> bool:
        """Bid on an offer, run the job if it is awarded, and return whether it was."""
        runtime = self._parts.runtime
        sent = runtime.clock()
        reading = read_bid(self._wire.send(api.bid(offer["job_id"]), BID_SECONDS), runtime.now())
        self._bidding.note(offer, reading)
        if not isinstance(reading, Award):
            return False
        task = TaskContext(
            offer,
            task_run_id=reading.result["task_run_id"],
            lease_expires_at=reading.result.get("lease_expires_at"),
        )
        JobRun(self._parts, task, sent, reading.lease_seconds, self._wire).run()
        return True
