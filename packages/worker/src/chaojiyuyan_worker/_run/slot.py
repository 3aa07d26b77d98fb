"""A slot: it takes one offer after another, bids, and works the jobs that it is awarded."""

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
"""Seconds that the answer to a bid may take: it comes with a lease that began when it was sent."""


class Bidding:
    """What the slots of a run know together about their bids.

    Args:
        parts: What all jobs of the run share.
        on_unregistered: Called when the platform no longer knows the capabilities.
    """

    def __init__(self, parts: Parts, on_unregistered: Callable[[], object]) -> None:
        self._parts = parts
        self._on_unregistered = on_unregistered
        self._lock = parts.runtime.lock()
        self._backoff = Backoff()

    def note(self, offer: TaskInfo, reading: Award | BidRefused | Undecided) -> None:
        """Learn from the answer to a bid: rivals, faults, a registration that was lost.

        Args:
            offer: What was bid on.
            reading: The answer.
        """
        labels = {"job_id": offer["job_id"], "capability_key": offer["capability_key"]}
        if isinstance(reading, Award):
            self._backoff.succeed()
            self._parts.offers.note_award()
        elif isinstance(reading, Undecided):
            # If the bid came through, its lease expires and the job is offered again. Asking would
            # not tell: siblings with the same key look the same to the platform.
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
    """Works one job at a time on the thread that serves it.

    Args:
        parts: What all jobs of the run share.
        bidding: What the slots know together.
        wire: Sends this slot's bids and submits.
    """

    def __init__(self, parts: Parts, bidding: Bidding, wire: Wire) -> None:
        self._parts = parts
        self._bidding = bidding
        self._wire = wire

    def serve(self) -> None:
        """Take offers until none will come.

        Raises:
            ExecutorBroken: An executor takes no more work.
            BaseException: A handler raised what is not an ``Exception``.
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
                # A fault of ours, which no other job is to pay for.
                log.exception("job failed", extra={"job_id": offer["job_id"]})
                offers.suspend(1.0)
            finally:
                offers.release(offer, worked=awarded)

    def _work(self, offer: TaskInfo) -> bool:
        """Bid on an offer; if it is awarded, see it through. Return whether it was."""
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
