"""Leases: an awarded job is held by beating for it, until its submit is answered.

Anything that bids can hold its jobs with this module; it knows nothing of the worker::

    keeper = LeaseKeeper(transport, interval=10.0)
    sent = keeper.clock()                       # before the bid, not after its answer
    response = transport.send(api.bid(job_id))
    award = value_of(api.bid(job_id), response)
    lease = keeper.hold(
        job_id,
        lease_deadline(award.get("lease_expires_at"), response, sent),
        max_hold=600.0,                         # seconds; None holds it for as long as it takes
        on_lost=lambda lease: print(lease.job_id, lease.lost),
    )
    ...
    if lease.lost is None:
        transport.send(api.submit(job_id, output), lease.remaining())
    lease.release()                             # beats no more
    keeper.close()

A lost lease is lost for good: a sibling with the same key may hold the job by then, and the API
could not tell the two apart, so nothing may be sent for that job any more.
"""

from __future__ import annotations

import heapq
import itertools
import logging
from functools import partial
from typing import TYPE_CHECKING

from chaojiyuyan_core import api
from chaojiyuyan_core.answers import value_of
from chaojiyuyan_core.errors import HebingAPIError

from ._run.lease import MARGIN, NEVER, Lease, Loss, is_gone, lease_deadline
from ._run.runtime import Runtime, boot_clock
from ._run.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._run.runtime import Thread
    from ._run.wire import Wire

__all__ = ["Lease", "LeaseKeeper", "Loss", "boot_clock", "is_gone", "lease_deadline"]

log = logging.getLogger(__name__)

LONGEST_PAUSE = 2.0
"""Seconds at most from a beat that failed to the next one."""

LONGEST_SLEEP = 3600.0
"""Seconds at most between two looks at the schedule: a lease may end in the year 9999, and a wait
that long is an error."""

MOST_STALE = 64
"""Entries of the schedule that may be out of date before it is cleaned up."""

LATE = 1.0
"""Seconds after its time at which a beat is late enough to be told about."""


Entry = tuple[float, int, Lease]
"""When to look at a lease, the order of entries at the same time, and the lease."""


class LeaseKeeper:
    """Beats for the leases it holds: one thread keeps the schedule, each beat goes on its own.

    :param transport: sends the beats; connections of its own keep them free of other traffic.
    :param interval: seconds between the beats of a lease. Above a lease's length none is sent.
    :param runtime: gives threads and the clock; handed in by tests.
    """

    def __init__(
        self,
        transport: Wire,
        *,
        interval: float = 10.0,
        runtime: Runtime | None = None,
    ) -> None:
        self._runtime = runtime or Runtime()
        self.clock = self._runtime.clock
        self._transport = transport
        self._interval = interval
        self._changed = self._runtime.condition()
        self._schedule: list[Entry] = []
        self._stale = 0
        self._order = itertools.count()
        self._beats = Threads("chaojiyuyan-beat", self._runtime)
        self._thread: Thread | None = None
        self._closed = self._told = False
        self._under_way = 0
        self._then: Callable[[], object] | None = None

    def hold(
        self,
        job_id: str,
        deadline: float,
        *,
        max_hold: float | None = None,
        on_lost: Callable[[Lease], object] | None = None,
    ) -> Lease:
        """Own a lease from now on and beat for it until it is released or lost.

        :param job_id: the job, awarded to this process.
        :param deadline: when the lease ends: :func:`lease_deadline`.
        :param max_hold: seconds after which it is let go whatever happens.
        :param on_lost: called once with the lease, on a thread of the keeper's, when it is lost;
            it must be quick.
        :returns: the lease; one that is lost already, if the keeper is closed.
        """
        lease = Lease(self, job_id, deadline, on_lost)
        now = self.clock()
        length = deadline - now
        if self._interval <= length + MARGIN:
            lease.next_beat = now + self._pause(length)
        elif not self._told:
            self._told = True
            log.warning(
                "a lease lasts %.1f s, less than the heartbeat interval: none is sent", length
            )
        if max_hold is not None:
            lease.held_until = now + max_hold
        with self._changed:
            if self._closed:
                lease.loss = Loss.ABANDONED
                return lease
            if self._thread is None:
                self._thread = self._runtime.start(self._keep, name="chaojiyuyan-leases")
            self._plan(lease)
        return lease

    def close(self, then: Callable[[], object] | None = None) -> None:
        """Lose every lease that is still held, and let the threads end.

        :param then: called when the last beat that is under way has ended, such as to close the
            transport.
        """
        with self._changed:
            self._closed = True
            self._then = then
            idle = not self._under_way
            held = {lease for _, _, lease in self._schedule}
            self._schedule.clear()
            self._changed.notify()
        for lease in held:
            self.lose(lease, Loss.ABANDONED)
        self._beats.close()
        if idle and then is not None:
            then()

    def limit(self, lease: Lease, seconds: float | None) -> None:
        """See :meth:`Lease.limit`."""
        with self._changed:
            lease.held_until = NEVER if seconds is None else self.clock() + seconds
            if lease.held_until < lease.wake:
                self._plan(lease)

    def release(self, lease: Lease) -> None:
        """See :meth:`Lease.release`."""
        with self._changed:
            if lease.released:
                return
            lease.released = True
            lease.on_lost = None
            self._stale += 1
            # What is released stays in the schedule until its time; under load that is much.
            if self._stale > max(MOST_STALE, len(self._schedule) // 2):
                self._schedule = [entry for entry in self._schedule if _is_due(entry)]
                heapq.heapify(self._schedule)
                self._stale = 0

    def lose(self, lease: Lease, loss: Loss) -> None:
        """Mark a lease as lost, unless it is released or lost already."""
        with self._changed:
            if lease.released or lease.loss is not None:
                return
            lease.loss = loss
            on_lost = lease.on_lost
        if on_lost is not None:
            try:
                on_lost(lease)
            except Exception:
                # The other leases live by this thread.
                log.exception("telling of a lost lease failed", extra={"job_id": lease.job_id})

    def _pause(self, length: float) -> float:
        """Return the seconds until the next beat: half a lease is left for tries after it."""
        return min(self._interval, max(length, 0.0) / 2)

    def _plan(self, lease: Lease) -> None:
        """Have the schedule look at a lease when something of it is due. The lock is held."""
        lease.wake = min(lease.next_beat, lease.deadline, lease.held_until)
        heapq.heappush(self._schedule, (lease.wake, next(self._order), lease))
        if self._schedule[0][2] is lease:
            self._changed.notify()

    def _keep(self) -> None:
        """The schedule's thread."""
        while True:
            asleep, cpu = self.clock(), self._runtime.cpu_time()
            lease = self._next_due()
            if lease is None:
                return
            now = self.clock()
            # Both may be due when this thread is late; what came first is the reason.
            if lease.held_until <= min(now, lease.deadline):
                self.lose(lease, Loss.HELD_TOO_LONG)
            elif lease.deadline <= now:
                self._explain(lease, asleep, cpu)
                self.lose(lease, Loss.EXPIRED)
            else:
                if lease.next_beat <= now and not lease.beating:
                    self._explain(lease, asleep, cpu)
                    lease.beating = True
                    lease.next_beat = NEVER
                    with self._changed:
                        if self._closed:
                            return
                        self._under_way += 1
                    self._beats.run(partial(self._beat, lease))
                with self._changed:
                    self._plan(lease)

    def _next_due(self) -> Lease | None:
        """Wait for the next lease of which something is due; None when the keeper is closed."""
        with self._changed:
            while not self._closed:
                timeout: float | None = None
                while self._schedule:
                    when, _, lease = self._schedule[0]
                    if not _is_due(self._schedule[0]):
                        heapq.heappop(self._schedule)
                        continue
                    timeout = min(when - self.clock(), LONGEST_SLEEP)
                    if timeout <= 0:
                        heapq.heappop(self._schedule)
                        return lease
                    break
                self._changed.wait(timeout)
        return None

    def _explain(self, lease: Lease, asleep: float, cpu: float) -> None:
        """Log a beat that is late, and why it probably is.

        :param asleep: when the schedule's thread began to wait.
        :param cpu: the CPU seconds that the process had used then.
        """
        now = self.clock()
        late = now - lease.wake
        if late < LATE:
            return
        busy = self._runtime.cpu_time() - cpu
        if busy >= min(late, now - asleep) / 2:
            cause = "a handler kept the interpreter lock in C code: give it a process executor"
        else:
            cause = "the process was stopped, suspended, or got no CPU time"
        log.warning("heartbeat %.1f s late: %s", late, cause, extra={"job_id": lease.job_id})

    def _beat(self, lease: Lease) -> None:
        try:
            self._send_beat(lease)
        finally:
            with self._changed:
                self._under_way -= 1
                then = self._then if self._closed and not self._under_way else None
            if then is not None:
                then()

    def _send_beat(self, lease: Lease) -> None:
        """Beat once for a lease, and plan the next beat by what comes of it."""
        left = lease.remaining()
        if lease.released or lease.loss is not None or left <= 0:
            return
        call = api.heartbeat(lease.job_id)
        sent = self.clock()
        try:
            answer = self._transport.send(call, left / 3)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next beat is to follow
            answer = error
        deadline, delay, fault = lease.deadline, 0.0, ""
        if isinstance(answer, Exception):
            fault = repr(answer)
        elif is_gone(answer):
            self.lose(lease, Loss.GONE)
            return
        else:
            try:
                info = value_of(call, answer)
                deadline = lease_deadline(info.get("lease_expires_at"), answer, sent)
            except HebingAPIError as error:
                fault, delay = str(error), error.retry_after or 0.0
        now = self.clock()
        if fault:
            # Unknown is not lost: there is time until the deadline.
            left = lease.deadline - now
            wait = min(max(delay, min(self._interval, left / 4, LONGEST_PAUSE)), left / 2)
            if not lease.released:
                log.warning(
                    "heartbeat failed, %.1f s of the lease left: %s",
                    left,
                    fault,
                    extra={"job_id": lease.job_id},
                )
        else:
            wait = self._pause(deadline - now)
        with self._changed:
            lease.beating = False
            if lease.loss is None and not lease.released:
                lease.deadline = deadline
                lease.next_beat = now + wait
                self._plan(lease)


def _is_due(entry: Entry) -> bool:
    """Whether an entry of the schedule still counts: no later one has taken its place."""
    when, _, lease = entry
    return not lease.released and lease.loss is None and when == lease.wake
