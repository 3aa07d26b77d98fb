"""The offers from polls, and the slots that take them."""

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
"""A poll for more offers is sent early when at most this many offers are kept."""

MAX_KEPT = 40
"""Minimum number of offers that may be kept for capabilities without room."""

NEVER = float("inf")


class Offers:
    """Passes each offer to a free slot, and wakes the poll loop when more offers are wanted.

    A slot is taken before the bid, so an awarded job never waits in a queue.

    Attributes:
        activity: A counter of awards and ended jobs. When it has changed, polling is useful.

    Args:
        capacity: The limits on running jobs.
        given_up: The jobs on which the worker must not bid.
        runtime: Provides locks, the clock and random numbers.
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

    # --- for the slots ---------------------------------------------------------------------------

    def take(self) -> TaskInfo | None:
        """Wait for an offer whose capability has room, and return it, or None when no more come."""
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
                    self._offered.notify_all()  # the last offer may have expired
                    return None
                self._notify_if_wanted()  # kept offers may have expired
                self._offered.wait(max_wait(self._runtime))
        return None

    def note_award(self) -> None:
        """Count an award, so that the poll loop polls again soon."""
        with self._lock:
            self.activity += 1
            self._notify_if_wanted()

    def note_rival(self) -> None:
        """Record that another worker got the job. Then take offers at random, not in list order."""
        self._rivals = True

    def give_up(self, job_id: str, lease_left: float, *, for_good: bool) -> None:
        """Stop bidding on a job, for ever or until other workers could bid on it.

        Args:
            job_id: The id of the job, whose slot is still taken.
            lease_left: Seconds until its lease expires.
            for_good: Whether to never bid on it again.
        """
        with self._lock:
            self._given_up.add(job_id, lease_left, for_good=for_good)

    def release(self, offer: TaskInfo, *, worked: bool) -> None:
        """Free the slot of an offer.

        Args:
            offer: An offer from :meth:`take`.
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
        """Drop the kept offers, and request no more for a time. It does not shorten a longer pause.

        Args:
            seconds: The length of the pause.
        """
        with self._lock:
            self._kept.clear()
            self._suspended_until = max(self._suspended_until, self._clock() + seconds)
            self._offered.notify_all()
            self._wanted.notify()

    # --- for the poll loop -----------------------------------------------------------------------

    def put(
        self, offers: Sequence[tuple[TaskInfo, float]], asked: float, *, more: bool, last: bool
    ) -> int:
        """Add the offers of a poll.

        Args:
            offers: The offers, each with the clock time at which its bid window ends.
            asked: The clock time of the poll. An offer of a job that has run since is old.
            more: Whether the platform probably has more offers.
            last: Whether this was the last poll.

        Returns:
            The number of useful offers: a slot can take them now, or all slots are taken.
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
        """Wait until a poll is wanted, and return whether it is.

        Args:
            not_before: The clock time before which no idle poll is sent. After activity, a poll is
                sent at once.
            activity: The value of :attr:`activity` before the last poll.
            timeout: Maximum seconds to wait.
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
        """Return the capabilities to poll for, and the number of offers that slots can take."""
        with self._lock:
            free = self._capacity.free_keys if self._capacity.free_slots > 0 else []
            ahead = max(self._capacity.slots, MAX_KEPT) if self._more else 0
            return free or self._capacity.keys, max(self._capacity.free_slots, 0) + ahead

    @property
    def running(self) -> list[str]:
        """The ids of the jobs in slots, including jobs that are bid on."""
        with self._lock:
            return list(self._running)

    @property
    def is_closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closed

    def close(self) -> None:
        """Stop passing on offers."""
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
            return True  # early, so that no slot is idle during the poll
        return (
            self._capacity.free_slots > 0
            and bool(self._capacity.free_keys)
            and not any(map(self._has_room, self._kept.values()))
        )

    def _notify_if_wanted(self) -> None:
        """Wake the poll loop only when a poll is wanted, and not for every job."""
        if self._wants():
            self._wanted.notify()

    def _has_room(self, kept: tuple[TaskInfo, float]) -> bool:
        return self._capacity.has_room(kept[0]["capability_key"])
