"""The offers that polls have brought, and the slots that take them."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from .runtime import max_wait

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chaojiyuyan_core.models import TaskInfo

    from .capacity import Capacity
    from .given_up import GivenUp
    from .runtime import Runtime

MAX_KEPT_AHEAD = 20
"""How many offers may still be kept when a poll for more is sent ahead of need."""

MAX_KEPT = 40
"""How many offers are kept, where there are fewer slots, whose capability has no room yet."""

NEVER = float("inf")


class Offers:
    """Hands each offer to a free slot, and tells the poll when more are wanted.

    A slot is taken before the bid, so that an awarded job never queues.

    Attributes:
        activity: A number that grows with every award and every job that ends: polling pays.

    Args:
        capacity: How many jobs may run at a time.
        given_up: The jobs that are not to be bid on.
        runtime: Gives locks, the clock and chance.
    """

    def __init__(self, capacity: Capacity, given_up: GivenUp, runtime: Runtime) -> None:
        self._capacity = capacity
        self._given_up = given_up
        self._runtime = runtime
        self._clock = runtime.clock
        self._random = runtime.random
        self._lock = runtime.lock()
        self._offered = runtime.condition(self._lock)
        self._wanted = runtime.condition(self._lock)
        self._kept: dict[str, tuple[TaskInfo, float]] = {}
        self._running: dict[str, str] = {}
        self._ended: dict[str, float] = {}
        self._expires_at = NEVER
        self._suspended_until = 0.0
        self._more = False
        self._rivals = False
        self._last = False
        self._closed = False
        self.activity = 0

    # --- the slots' side -------------------------------------------------------------------------

    def take(self) -> TaskInfo | None:
        """Wait for an offer whose capability has room, and take it; None when none will come."""
        with self._lock:
            while not self._closed:
                offer = self._pick()
                if offer is not None:
                    self._running[offer["job_id"]] = offer["capability_key"]
                    self._capacity.start(offer["capability_key"])
                    self._notify_if_wanted()
                    if self._last and not self._kept:
                        self._offered.notify_all()
                    return offer
                if self._last and not self._kept:
                    self._offered.notify_all()  # the last one may have expired
                    return None
                self._notify_if_wanted()  # what was kept may have expired
                self._offered.wait(max_wait(self._runtime))
        return None

    def note_award(self) -> None:
        """Note that a slot's bid was accepted: polling pays."""
        with self._lock:
            self.activity += 1
            self._notify_if_wanted()

    def note_rival(self) -> None:
        """Note that a rival had the job: it goes through the same list, so take at random."""
        self._rivals = True

    def give_up(self, job_id: str, lease_left: float, *, for_good: bool) -> None:
        """Do not bid on a job again, for good or until others had their chance.

        Args:
            job_id: The job, whose slot is still taken.
            lease_left: Seconds until its lease expires.
            for_good: Never bid on it again.
        """
        with self._lock:
            self._given_up.add(job_id, lease_left, for_good=for_good)

    def release(self, offer: TaskInfo, *, worked: bool) -> None:
        """Give the slot of an offer back.

        Args:
            offer: What :meth:`take` returned.
            worked: Whether the job was awarded.
        """
        with self._lock:
            self._capacity.end(self._running.pop(offer["job_id"]))
            self._ended[offer["job_id"]] = self._clock()
            self.activity += worked
            self._notify_if_wanted()
            if self._kept:
                self._offered.notify()

    def suspend(self, seconds: float) -> None:
        """Drop what is kept and want no more for so long; a longer pause stays as it is.

        Args:
            seconds: How long.
        """
        with self._lock:
            self._kept.clear()
            self._suspended_until = max(self._suspended_until, self._clock() + seconds)
            self._offered.notify_all()
            self._wanted.notify()

    # --- the poll's side -------------------------------------------------------------------------

    def put(
        self, offers: Sequence[tuple[TaskInfo, float]], asked: float, *, more: bool, last: bool
    ) -> int:
        """Keep what a poll has brought.

        Args:
            offers: Each with the time, by the clock, until which it may be bid on.
            asked: When the poll was sent. A job that ran since then is an old offer.
            more: Whether there is probably more where these came from.
            last: Whether there will be no further poll.

        Returns:
            How many of them are of use: a slot may take them now, or all slots are taken.
        """
        with self._lock:
            if self._closed:
                return 0
            self._ended = {job: at for job, at in self._ended.items() if at >= asked}
            choosy = self._capacity.free_slots > 0 and bool(self._capacity.free_keys)
            usable = 0
            for offer, until in offers:
                job_id, has_room = offer["job_id"], self._has_room((offer, until))
                if job_id in self._given_up:
                    continue
                usable += has_room or not choosy
                if job_id in self._running or job_id in self._ended:
                    continue
                if has_room or len(self._kept) < max(self._capacity.slots, MAX_KEPT):
                    self._kept[job_id] = (offer, until)
                    self._expires_at = min(self._expires_at, until)
            self._more = more and usable > 0
            self._last = last
            self._rivals = False
            if last:
                self._offered.notify_all()
            else:
                self._offered.notify(len(self._kept))
            return usable

    def wait(self, not_before: float, activity: int, timeout: float) -> bool:
        """Wait until a poll is wanted, and tell whether it is.

        Args:
            not_before: When an idle poll may be sent; one after work may at once.
            activity: What :attr:`activity` was before the last poll.
            timeout: Seconds to wait at most.
        """
        end = self._clock() + timeout
        with self._lock:
            while not self._closed:
                now = self._clock()
                due = not_before if self.activity == activity else now
                due = max(due, self._suspended_until)
                wanted = self._wants()
                if wanted and due <= now:
                    return True
                if now >= end:
                    return False
                self._wanted.wait(min(end, due if wanted and due > now else end) - now)
        return False

    def need(self) -> tuple[list[str], int]:
        """Return the capabilities that are to be asked for, and how many offers slots may take."""
        with self._lock:
            free = self._capacity.free_keys if self._capacity.free_slots > 0 else []
            ahead = max(self._capacity.slots, MAX_KEPT) if self._more else 0
            return free or self._capacity.keys, max(self._capacity.free_slots, 0) + ahead

    @property
    def running(self) -> list[str]:
        """The ids of the jobs that slots hold, those that are bid on included."""
        with self._lock:
            return list(self._running)

    @property
    def is_closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closed

    def close(self) -> None:
        """Hand out no offer any more."""
        with self._lock:
            self._closed = True
            self._kept.clear()
            self._offered.notify_all()
            self._wanted.notify_all()

    def _pick(self) -> TaskInfo | None:
        now = self._clock()
        if self._expires_at <= now:
            self._kept = {job: kept for job, kept in self._kept.items() if kept[1] > now}
            self._expires_at = min((until for _, until in self._kept.values()), default=NEVER)
        takeable = (job_id for job_id, kept in self._kept.items() if self._has_room(kept))
        candidates = list(takeable) if self._rivals else list(islice(takeable, 1))
        if not candidates:
            return None
        return self._kept.pop(candidates[int(self._random() * len(candidates))])[0]

    def _wants(self) -> bool:
        if self._last:
            return False
        slots = self._capacity.slots
        if self._more and len(self._kept) <= min(MAX_KEPT_AHEAD, slots * 3 // 4):
            return True  # ahead of need, so that no slot idles while the poll is under way
        return (
            self._capacity.free_slots > 0
            and bool(self._capacity.free_keys)
            and not any(map(self._has_room, self._kept.values()))
        )

    def _notify_if_wanted(self) -> None:
        """Wake the poll only when it is to poll: under load it would be woken for every job."""
        if self._wants():
            self._wanted.notify()

    def _has_room(self, kept: tuple[TaskInfo, float]) -> bool:
        return self._capacity.has_room(kept[0]["capability_key"])
