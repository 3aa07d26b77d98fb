"""The offers that polls have brought, and the slots that take them."""

from __future__ import annotations

import sys
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from chaojiyuyan_core.models import TaskInfo

    from .runtime import Runtime

TICK = 1.0 if sys.platform == "win32" else None
"""Seconds that a slot's wait may last: an endless one keeps Windows from delivering Ctrl-C."""

MOST_KEPT = 20
"""The most offers that are still kept when a poll for more is sent ahead."""


class Offers:
    """Hands each offer to a free slot, and tells the poll when more are wanted.

    A slot is taken before the bid, so that an awarded job never queues.

    :param limits: how many jobs of each capability may be in hand at a time.
    :param slots: how many jobs may be in hand at a time, all capabilities together.
    :param runtime: gives locks, the clock and chance.
    """

    def __init__(self, limits: Mapping[str, int], slots: int, runtime: Runtime) -> None:
        self._limits = limits
        self._slots = slots
        self._clock = runtime.clock
        self._random = runtime.random
        self._lock = runtime.lock()
        self._offered = runtime.condition(self._lock)
        self._wanted = runtime.condition(self._lock)
        self._kept: dict[str, tuple[TaskInfo, float]] = {}
        self._in_hand: dict[str, str] = {}
        self._running: Counter[str] = Counter()
        self._let_go: dict[str, float] = {}
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
                    self._in_hand[offer["job_id"]] = offer["capability_key"]
                    self._running[offer["capability_key"]] += 1
                    self._notify_if_wanted()
                    if self._last and not self._kept:
                        self._offered.notify_all()
                    return offer
                if self._last and not self._kept:
                    self._offered.notify_all()  # the last one may have expired
                    return None
                self._notify_if_wanted()  # what was kept may have expired
                self._offered.wait(TICK)
        return None

    def awarded(self) -> None:
        """Note that a slot's bid was accepted: polling pays."""
        with self._lock:
            self.activity += 1
            self._notify_if_wanted()

    def outbid(self) -> None:
        """Note that a rival had the job: it goes through the same list, so take at random."""
        self._rivals = True

    def done(self, offer: TaskInfo, *, worked: bool) -> None:
        """Give the slot back.

        :param worked: the job was awarded.
        """
        with self._lock:
            key = self._in_hand.pop(offer["job_id"])
            self._running[key] -= 1
            self._let_go[offer["job_id"]] = self._clock()
            self.activity += worked
            self._notify_if_wanted()
            if self._kept:
                self._offered.notify()

    def suspend(self, seconds: float) -> None:
        """Drop what is kept, and want no more for so long: bids meet a fault."""
        with self._lock:
            self._kept.clear()
            self._suspended_until = self._clock() + seconds
            self._offered.notify_all()
            self._wanted.notify()

    # --- the poll's side -------------------------------------------------------------------------

    def put(
        self, offers: Iterable[tuple[TaskInfo, float]], asked: float, *, more: bool, last: bool
    ) -> None:
        """Keep what a poll has brought.

        :param offers: each with the time, by the clock, until which it may be bid on.
        :param asked: when the poll was sent. What was in hand since is an old offer.
        :param more: there is probably more where these came from.
        :param last: there will be no further poll.
        """
        with self._lock:
            if self._closed:
                return
            self._let_go = {job: at for job, at in self._let_go.items() if at >= asked}
            for offer, until in offers:
                job_id = offer["job_id"]
                if job_id not in self._in_hand and job_id not in self._let_go:
                    self._kept[job_id] = (offer, until)
            self._more = more
            self._last = last
            self._rivals = False
            if last:
                self._offered.notify_all()
            else:
                self._offered.notify(len(self._kept))

    def wait(self, not_before: float, activity: int, timeout: float) -> bool:
        """Wait until a poll is wanted, and tell whether it is.

        :param not_before: when an idle poll may be sent; one after work may at once.
        :param activity: what :attr:`activity` was before the last poll.
        :param timeout: seconds to wait at most.
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

    def room(self) -> list[str]:
        """Return the capabilities that the next job may be of: any, where it has to wait first."""
        with self._lock:
            free = self._free() if len(self._in_hand) < self._slots else []
            return free or list(self._limits)

    @property
    def in_hand(self) -> list[str]:
        """The ids of the jobs that slots hold, those that are bid on included."""
        with self._lock:
            return list(self._in_hand)

    @property
    def closed(self) -> bool:
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
        for job_id in [job for job, (_, until) in self._kept.items() if until <= now]:
            del self._kept[job_id]
        takeable = (job_id for job_id, kept in self._kept.items() if self._has_room(kept))
        candidates = list(takeable) if self._rivals else list(islice(takeable, 1))
        if not candidates:
            return None
        return self._kept.pop(candidates[int(self._random() * len(candidates))])[0]

    def _wants(self) -> bool:
        if self._last:
            return False
        if self._more and len(self._kept) <= min(MOST_KEPT, self._slots * 3 // 4):
            return True  # ahead of need, so that no slot idles while the poll is under way
        return (
            len(self._in_hand) < self._slots
            and bool(self._free())
            and not any(map(self._has_room, self._kept.values()))
        )

    def _free(self) -> list[str]:
        return [key for key, limit in self._limits.items() if self._running[key] < limit]

    def _notify_if_wanted(self) -> None:
        """Wake the poll only when it is to poll: under load it would be woken for every job."""
        if self._wants():
            self._wanted.notify()

    def _has_room(self, kept: tuple[TaskInfo, float]) -> bool:
        key = kept[0]["capability_key"]
        return self._running[key] < self._limits[key]
