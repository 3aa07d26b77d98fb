"""Hold the leases of awarded jobs with heartbeats until their submit is answered.

Any program that bids on jobs can use this module without a worker::

    keeper = LeaseKeeper(transport)
    sent = keeper.clock()                       # before the bid, not after its answer
    award = read_bid(transport.send(api.bid(job_id)), datetime.now(timezone.utc))
    if isinstance(award, Award):
        lease = keeper.hold(job_id, sent, award.lease_seconds, on_lost=print)
        ...
        run(submit_until_settled(call, lease, clock=keeper.clock, draw=random.random), transport)
        lease.release()                         # ends the heartbeats
    keeper.close()

A lost lease cannot be renewed. Another worker with the same key may hold the job, and the API
cannot distinguish the two, so nothing more may be sent for this job.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from chaojiyuyan_core import api
from chaojiyuyan_core.answers import LeaseExtended, LeaseGone, Undecided, read_heartbeat

from ._observe.logger import describe, get_logger
from ._run.lateness import Lateness
from ._run.lease import Lease
from ._run.runtime import Runtime, boot_clock
from ._run.schedule import DEFAULT_HEARTBEAT_INTERVAL, NEVER, Due, LeaseTimes, Loss, Schedule
from ._run.supervision import Supervisor
from ._run.thread_pool import ThreadPool

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._run.wire import Wire

__all__ = ["Lease", "LeaseKeeper", "Loss", "boot_clock"]

log = get_logger(__name__)

MAX_WAIT = 1.0
"""Maximum seconds between two checks of the schedule. A new lease whose first action is later does
not wake the thread, which makes short jobs faster."""


class LeaseKeeper:
    """Sends the heartbeats of the leases that it holds.

    One thread keeps the schedule, and other threads send the heartbeats concurrently. The timeout
    of a heartbeat is a third of the remaining lease. A slow heartbeat or a failed thread does not
    affect other leases.

    Args:
        wire: Sends the heartbeats. Use separate connections, so that other traffic does not delay
            them.
        interval: Seconds between the heartbeats of a lease. The default is reduced to half of a
            short lease. With another interval that is longer than a lease, no heartbeats are sent.
        runtime: Provides threads and the clock, by default the standard library's.
        supervisor: Keeps the thread of the schedule running; a new one by default.
        on_heartbeat: Called with the duration of each heartbeat in seconds, on the thread that sent
            it.
    """

    def __init__(
        self,
        wire: Wire,
        *,
        interval: float = DEFAULT_HEARTBEAT_INTERVAL,
        runtime: Runtime | None = None,
        supervisor: Supervisor | None = None,
        on_heartbeat: Callable[[float], object] = lambda _: None,
    ) -> None:
        self._on_heartbeat = on_heartbeat
        self._runtime = runtime or Runtime()
        supervisor = supervisor or Supervisor(self._runtime)
        self._service = supervisor.add("chaojiyuyan-leases", self._keep)
        self.clock = self._runtime.clock
        self._lateness = Lateness(self._runtime)
        self._wire = wire
        self._interval = interval
        self._changed = self._runtime.condition()
        self._schedule: Schedule[Lease] = Schedule()
        self._pool = ThreadPool("chaojiyuyan-heartbeat", self._runtime)
        self._wakes_at = 0.0
        self._told = False
        self._closed = False
        self._in_flight = 0
        self._on_idle: Callable[[], object] | None = None

    def hold(
        self,
        job_id: str,
        sent: float,
        lease_seconds: float,
        *,
        interval: float | None = None,
        max_hold: float | None = None,
        on_lost: Callable[[Lease], object] | None = None,
    ) -> Lease:
        """Hold a lease with heartbeats until it is released or lost.

        The requests are ``POST /kernel-jobs/{id}/heartbeat``.

        Args:
            job_id: The id of a job that was awarded to this process.
            sent: The time at which the bid was sent, in seconds of :attr:`clock`.
            lease_seconds: The length of the lease from `sent`: ``Award.lease_seconds``.
            interval: Seconds between heartbeats, by default the keeper's.
            max_hold: Seconds after which the lease is given up; None for no limit.
            on_lost: Called once with the lease when it is lost, on a thread of the keeper. It must
                return quickly.

        Returns:
            The lease. When the keeper is closed, the lease is already lost.
        """
        times = LeaseTimes(
            sent,
            lease_seconds,
            now=self.clock(),
            interval=self._interval if interval is None else interval,
            max_hold=max_hold,
            spread=self._runtime.random(),
        )
        lease = Lease(self, job_id, times, on_lost)
        if not times.is_kept and not self._told:
            self._told = True
            log.warning(
                "no heartbeats are sent: the lease of %.1f s is shorter than the interval",
                lease_seconds,
            )
        with self._changed:
            if self._closed:
                lease.loss = Loss.ABANDONED
                return lease
            self._plan(lease)
        self._service.ensure()
        return lease

    def confirm(self, lease: Lease, wait: Callable[[float], object]) -> bool:
        """Send heartbeats on the calling thread until one succeeds.

        Args:
            lease: The lease to confirm.
            wait: Waits for the given seconds.

        Returns:
            Whether the lease is still held. It is false when the lease was lost or released.
        """
        while lease.is_held:
            lease.times.start_heartbeat()
            if self._send_heartbeat(lease):
                return True
            if lease.is_held:
                wait(max(lease.times.wake - self.clock(), 0.0))
        return False

    def close(self, on_idle: Callable[[], object] | None = None) -> None:
        """Lose all held leases, and end the threads.

        Args:
            on_idle: Called when no heartbeat is in flight, for example to close the wire.
        """
        with self._changed:
            self._closed = True
            self._on_idle = on_idle
            idle = not self._in_flight
            held = list(self._schedule)
            self._changed.notify()
        for lease in held:
            self.lose(lease, Loss.ABANDONED)
        self._pool.close()
        if idle and on_idle is not None:
            on_idle()

    @property
    def problem(self) -> str | None:
        """Why heartbeats cannot be sent now, or None."""
        return self._pool.problem

    def limit(self, lease: Lease, seconds: float | None) -> None:
        """See :meth:`Lease.limit`."""
        with self._changed:
            before = lease.times.wake
            lease.times.held_until = NEVER if seconds is None else self.clock() + seconds
            if lease.times.wake < before and not lease.released and lease.loss is None:
                self._plan(lease)

    def release(self, lease: Lease) -> None:
        """See :meth:`Lease.release`."""
        with self._changed:
            lease.released = True
            lease.on_lost = None
            self._schedule.forget(lease)

    def lose(self, lease: Lease, loss: Loss) -> None:
        """Mark a lease as lost, unless it was already released or lost."""
        with self._changed:
            if lease.released or lease.loss is not None:
                return
            lease.loss = loss
            on_lost = lease.on_lost
            self._schedule.forget(lease)
        if on_lost is not None:
            try:
                on_lost(lease)
            except Exception:
                # Other leases need this thread.
                log.exception("on_lost failed for a lost lease", extra={"job_id": lease.job_id})

    def _plan(self, lease: Lease) -> None:
        """Plan the next action for a lease. The caller must hold the lock."""
        self._schedule.plan(lease, lease.times.wake)
        if lease.times.wake < self._wakes_at:
            self._changed.notify()

    def _keep(self) -> None:
        """Perform the due actions of all leases until the keeper is closed."""
        while True:
            self._lateness.begin_sleep()
            lease = self._take()
            if lease is None:
                return
            try:
                self._serve(lease)
            finally:
                with self._changed:
                    if lease.loss is None and not lease.released:
                        self._plan(lease)

    def _serve(self, lease: Lease) -> None:
        planned, due = lease.times.wake, lease.times.due(self.clock())
        if due is None:
            return
        self._lateness.check(planned, lease.job_id)
        if due is Due.HEARTBEAT:
            self._dispatch(lease)
        else:
            self.lose(lease, Loss.EXPIRED if due is Due.EXPIRED else Loss.HELD_TOO_LONG)

    def _take(self) -> Lease | None:
        """Wait for the next lease with a due action, or return None when the keeper is closed."""
        with self._changed:
            while not self._closed:
                now = self.clock()
                lease = self._schedule.take(now)
                if lease is not None:
                    return lease
                first, relief = self._schedule.first(), self._pool.relieve()
                wait = MAX_WAIT if first is None else min(first - now, MAX_WAIT)
                wait = wait if relief is None else min(wait, relief)
                self._wakes_at = now + wait
                self._changed.wait(wait)
        return None

    def _dispatch(self, lease: Lease) -> None:
        with self._changed:
            if self._closed:
                return
            lease.times.start_heartbeat()
            self._in_flight += 1
            try:
                self._pool.run(partial(self._run_heartbeat, lease))
            except BaseException:
                self._in_flight -= 1
                lease.times.retry(self.clock(), None)
                raise

    def _run_heartbeat(self, lease: Lease) -> None:
        try:
            self._send_heartbeat(lease)
        finally:
            with self._changed:
                self._in_flight -= 1
                on_idle = self._on_idle if self._closed and not self._in_flight else None
            if on_idle is not None:
                on_idle()

    def _send_heartbeat(self, lease: Lease) -> bool:
        """Send one heartbeat, plan the next one, and return whether it succeeded."""
        left = lease.remaining()
        if lease.released or left <= 0:
            return False
        sent = self.clock()
        try:
            reply = self._wire.send(api.heartbeat(lease.job_id), left / 3)
            reading = read_heartbeat(reply, self._runtime.now())
        except Exception as error:  # noqa: BLE001 - the next heartbeat follows after any error
            reading = Undecided(error)
        self._on_heartbeat(self.clock() - sent)
        if isinstance(reading, LeaseGone):
            self.lose(lease, Loss.GONE)
            return False
        worked = isinstance(reading, LeaseExtended)
        with self._changed:
            now = self.clock()
            if lease.released or lease.loss is not None:
                return False
            if isinstance(reading, LeaseExtended):
                lease.times.extend(sent, reading.lease_seconds, now, self._runtime.random())
            else:
                lease.times.retry(now, reading.retry_after)
            self._plan(lease)
        if isinstance(reading, Undecided):
            text, fault = "heartbeat failed, lease ends in %.1f s: %s", describe(reading.error)
            log.warning(text, lease.remaining(), fault, extra={"job_id": lease.job_id})
        return worked
