"""The poll: it asks for jobs as often as that pays, and outlives every fault."""

from __future__ import annotations

import logging
from itertools import islice
from typing import TYPE_CHECKING

from chaojiyuyan_core import api
from chaojiyuyan_core.answers import retry_after, value_of
from chaojiyuyan_core.errors import (
    AuthenticationError,
    HebingAPIError,
    PermissionDeniedError,
    WorkerNotEnabled,
)
from chaojiyuyan_core.retry import LONGEST_RETRY_AFTER, Retry
from chaojiyuyan_core.times import parse_http_date, parse_iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TypeVar

    import httpx

    from chaojiyuyan_core.models import Registration, TaskInfo

    from .offers import Offers
    from .runtime import Runtime
    from .wire import Wire

    T = TypeVar("T")

log = logging.getLogger(__name__)

LONGEST_WAIT = 20.0
"""Seconds that the platform is asked to hold a poll while there is no job."""

SHORTEST_PAUSE = 0.05
"""Seconds between the first two polls that come to nothing."""

PAUSE_GROWTH = 1.5

GRACE = 10.0
"""Seconds that the answer to a poll may take beyond the time it is held for."""

UNDATED = 5.0
"""Seconds that an offer is kept where nothing tells how long it stands."""

TICK = 5.0
"""Seconds after which a poll that waits for a free slot shows that it is alive."""

NOT_REGISTERED = frozenset({"worker_not_enabled", "capability_not_in_handler_set"})

FAULTS = Retry(first_delay=0.1, longest_delay=5.0)
"""How soon to ask again after a fault."""


class Polling:
    """Registers the capabilities, then polls for offers until they are closed.

    :param transport: sends the polls.
    :param offers: where they go.
    :param keys: the capabilities that this process handles.
    :param interval: seconds between polls that come to nothing, in the long run.
    :param register: register at the start, and again where the platform has forgotten.
    :param runtime: gives the clock and chance.
    """

    def __init__(
        self,
        transport: Wire,
        offers: Offers,
        keys: Sequence[str],
        *,
        interval: float,
        register: bool,
        runtime: Runtime,
    ) -> None:
        self._transport = transport
        self._offers = offers
        self._keys = list(keys)
        self._interval = interval
        self._register = register
        self._clock = runtime.clock
        self._random = runtime.random
        self._unregistered = register
        self._wait = 0.0  # the first answer comes at once, and tells whether polling works
        self._faults = 0
        self._pause = SHORTEST_PAUSE
        self._not_before = 0.0
        self._activity = offers.activity
        self._foreign = False
        self._turn = 0
        self._malformed = ""
        self.advanced_at = self._clock()
        self.succeeded = False
        self.fatal: Exception | None = None

    def run(self, *, once: bool = False) -> None:
        """Poll until the offers are closed, or once; end early where polling cannot go on.

        What ended it is in :attr:`fatal` then, and the offers are closed.
        """
        try:
            while not self._offers.closed:
                self.advanced_at = self._clock()
                if once or self._offers.wait(self._not_before, self._activity, TICK):
                    self._step(once)
                    if once:
                        break
        except Exception as error:  # noqa: BLE001 - it is raised by the run that owns this thread
            if not self._offers.closed:
                self.fatal = error
                self._offers.close()
        finally:
            if once:
                self._offers.put([], self._clock(), more=False, last=True)

    def lost_registration(self) -> None:
        """Register again before the next poll: the platform says that this agent has not."""
        self._unregistered = self._register

    def _step(self, once: bool) -> None:
        if self._unregistered and not self._registered():
            return
        capability_key, whole = self._chosen_key()
        wait = 0.0 if once else min(self._wait, LONGEST_WAIT if whole else max(1, self._interval))
        call = api.available_jobs(
            limit=api.MAX_OFFERS, capability_key=capability_key, wait=wait or None
        )
        if self._offers.activity != self._activity:
            self._activity = self._offers.activity
            self._pause = SHORTEST_PAUSE
        asked = self._clock()
        answer = self._transport.send(call, wait + GRACE)
        if self._offers.closed:
            return
        rows = self._read(call, answer)
        if rows is None or isinstance(answer, Exception):
            return
        self._recovered()
        offers = list(self._offers_in(rows, answer))
        mine = [kept for kept in offers if kept[0]["capability_key"] in self._keys]
        if capability_key is None or len(mine) < len(offers):
            self._foreign = len(mine) < len(offers)
        self._not_before = asked + self._next_pause()
        self._offers.put(mine, asked, more=len(rows) >= api.MAX_OFFERS and bool(mine), last=once)

    def _next_pause(self) -> float:
        """Return the seconds from this poll to the next one, should it lead to no award."""
        pause = self._pause
        self._pause = min(pause * PAUSE_GROWTH, self._interval)
        # Jitter only lengthens: at rest there is at most one poll an interval.
        return min(pause, self._interval) * (1 + self._random() / 10)

    def _chosen_key(self) -> tuple[str | None, bool]:
        """Return the capability to ask for, None for all, and whether that asks for everything.

        One question for all is cheapest, but its page may be filled by what this process cannot
        take: another worker's capabilities, or ones whose slots are all in use.
        """
        room = self._offers.room()
        if len(self._keys) == 1:
            return self._keys[0], True
        if not self._foreign and len(room) == len(self._keys):
            return None, True
        turns: list[str | None] = [*room]
        if self._foreign:
            turns.append(None)  # finds out when the foreign rows are gone
        self._turn += 1
        return turns[self._turn % len(turns)], False

    def _offers_in(
        self, rows: Sequence[object], answer: httpx.Response
    ) -> Iterator[tuple[TaskInfo, float]]:
        """Read the rows of a page, each with the time until which it may be bid on."""
        now = self._clock()
        date = parse_http_date(answer.headers.get("date"))
        for offer, problem in sound_offers(rows):
            if offer is None:
                # The same row comes with every poll: one line tells it.
                if problem != self._malformed:
                    self._malformed = problem
                    log.warning("skipped a malformed offer: %s", problem)
                continue
            until = parse_iso(offer.get("bid_expires_at"))
            stands = (until - date).total_seconds() if until and date else UNDATED
            yield offer, now + stands

    def _registered(self) -> bool:
        """Register what this process handles; False if that met a fault."""
        keys = iter(self._keys)
        while batch := list(islice(keys, api.MAX_KEYS_PER_REGISTRATION)):
            call = api.register_capabilities(batch)
            result = self._read(call, self._transport.send(call))
            if result is None:
                return False
            tell_registration(result)
        self._unregistered = False
        return True

    def _read(self, call: api.Call[T], answer: httpx.Response | Exception) -> T | None:
        """Return what an answer holds; None for a fault, which delays the next step.

        :raises HebingAPIError: the key is rejected.
        :raises WorkerNotEnabled: the agent has registered nothing, and is not to be registered.
        """
        if isinstance(answer, Exception):
            self._fault(f"{type(answer).__name__}: {answer}", None)
            return None
        try:
            return value_of(call, answer)
        except HebingAPIError as error:
            if isinstance(error, PermissionDeniedError) and error.code in NOT_REGISTERED:
                if not self._register:
                    raise WorkerNotEnabled(error.detail) from error
                self._unregistered = True
            elif isinstance(error, (AuthenticationError, PermissionDeniedError)):
                raise
            self._fault(str(error), retry_after(answer))
            return None

    def _fault(self, what: str, asked: float | None) -> None:
        delay = FAULTS.backoff(self._faults, self._random())
        if asked is not None:
            delay = min(max(delay, asked), LONGEST_RETRY_AFTER)
        self._faults += 1
        self.succeeded = False
        # A proxy that cuts held answers off looks like a fault: ask for less until one succeeds.
        self._wait = 0.0
        self._activity = self._offers.activity
        self._offers.suspend(delay)
        log.warning("polling failed, again in %.1f s: %s", delay, what)

    def _recovered(self) -> None:
        if self._faults:
            log.info("polling again after %d faults", self._faults)
        self._faults = 0
        self.succeeded = True
        self._wait = min(LONGEST_WAIT, max(2.0, self._wait * 2))


def sound_offers(rows: Iterable[object]) -> Iterator[tuple[TaskInfo | None, str]]:
    """Read the rows of a page: each as an offer, or None with what is wrong with it."""
    for row in rows:
        try:
            offer = api.offer(row)
            api.segment(offer["job_id"])
        except ValueError as error:  # noqa: PERF203 - one bad row hides no other
            yield None, str(error)
        else:
            yield offer, ""


def tell_registration(registration: Registration) -> None:
    """Log what was registered, and what the catalog does not have."""
    log.info("registered: %s", ", ".join(registration["registered"]) or "nothing")
    if registration["skipped_unknown"]:
        log.warning(
            "not in the platform's catalog, no job will come: %s",
            ", ".join(registration["skipped_unknown"]),
        )
