"""The poll loop: request offers when that is useful, and continue after errors."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from chaojiyuyan_core import api
from chaojiyuyan_core.answers import UNREGISTERED_CODES, is_key_refused
from chaojiyuyan_core.errors import WorkerNotEnabled
from chaojiyuyan_core.offers import BadOffer, read_offers
from chaojiyuyan_core.times import parse_http_date, parse_iso
from chaojiyuyan_worker._observe.logger import describe, get_logger

from .pacing import Backoff, Pacing
from .poll_plan import ONE_CYCLE_ROWS, Poll, PollPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from chaojiyuyan_core.http import Reply
    from chaojiyuyan_core.models import Registration, TaskInfo

    from .offers import Offers
    from .options import RunOptions
    from .runtime import Runtime
    from .wire import Wire

log = get_logger(__name__)

ANSWER_SECONDS = 10.0
"""Timeout in seconds of a poll, in addition to its long-poll."""

REGISTER_SECONDS = 20.0
"""Timeout in seconds of a registration."""

UNDATED_SECONDS = 5.0
"""Seconds for which an offer is kept when the end of its bid window is unknown."""

MAX_TOLD_PROBLEMS = 100
"""Maximum number of different problems of offers that are logged."""

TICK = 1.0
"""Maximum seconds of one wait of the poll loop, so that it shows progress."""


class Fault(NamedTuple):
    """A failed registration or poll.

    Attributes:
        reply: The reply.
        error: The error of the reply.
    """

    reply: Reply
    error: Exception

    @property
    def is_unregistered(self) -> bool:
        """Whether the platform says that the agent is not registered."""
        return self.reply.status == 403 and self.reply.code in UNREGISTERED_CODES


class Polling:
    """Registers the capabilities, then polls for offers until they are closed.

    Attributes:
        advanced_at: The clock time of the last progress of the loop.
        succeeded: Whether the last poll succeeded.

    Args:
        wire: Sends the polls.
        offers: Receives the offers.
        keys: The capabilities that this process handles.
        options: The options of the run.
        runtime: Provides the clock and random numbers.
        check: Called before each step. When it returns false, no poll is sent.
    """

    def __init__(
        self,
        wire: Wire,
        offers: Offers,
        keys: Sequence[str],
        options: RunOptions,
        runtime: Runtime,
        *,
        check: Callable[[], bool] = lambda: True,
    ) -> None:
        self._wire = wire
        self._offers = offers
        self._keys = list(keys)
        self._registers = options.auto_register
        self._runtime = runtime
        self._check = check
        self._plan = PollPlan(keys)
        self._pacing = Pacing(options.poll_interval)
        self._backoff = Backoff()
        self._unregistered: list[list[str]] = []
        self._activity = offers.activity
        self._told_problems: set[str] = set()
        self._told_closed_window = False
        self.advanced_at = runtime.clock()
        self.succeeded = False
        self.lose_registration()

    def run(self) -> Exception | None:
        """Poll until the offers are closed or a fatal error occurs.

        Returns:
            The fatal error: a :class:`HebingAPIError` that refuses the key, or a
            :class:`WorkerNotEnabled`. None when the offers were closed.
        """
        while not self._offers.is_closed:
            self.advanced_at = self._runtime.clock()
            if not self._check():
                self._runtime.sleep(TICK)
            elif self._offers.wait(self._pacing.not_before, self._activity, TICK):
                fatal = self._step()
                if fatal is not None:
                    return fatal
        return None

    def run_once(self) -> Exception | None:
        """Poll once, and return its error or None."""
        key = self._keys[0] if len(self._keys) == 1 else None
        fault = self._register() or self._poll(Poll(key, ONE_CYCLE_ROWS), is_last=True)
        return fault and (self._fatal(fault) or fault.error)

    def lose_registration(self) -> None:
        """Register again before the next poll when ``auto_register`` is set."""
        if self._registers and not self._unregistered:
            keys = iter(self._keys)
            size = api.MAX_KEYS_PER_REGISTRATION
            self._unregistered = list(iter(lambda: list(islice(keys, size)), []))

    def _step(self) -> Exception | None:
        fault = self._register()
        if fault is None:
            keys, wanted = self._offers.need()
            fault = self._poll(self._plan.next(keys, wanted), is_last=False)
        if fault is None or self._offers.is_closed:
            return None
        fatal = self._fatal(fault)
        if fatal is None:
            self._suspend(fault)
        return fatal

    def _register(self) -> Fault | None:
        """Register the remaining capabilities in batches, and return the fault that stopped it."""
        while self._unregistered:
            call = api.register_capabilities(self._unregistered[0])
            reply = self._wire.send(call, REGISTER_SECONDS)
            try:
                tell_registration(reply.redact(reply.value(call)))
            except Exception as error:  # noqa: BLE001 - an API error or a connection error
                return Fault(reply, error)
            self._unregistered.pop(0)
        return None

    def _poll(self, poll: Poll, *, is_last: bool) -> Fault | None:
        """Send a poll and add its offers, or return its fault."""
        hold = 0.0 if is_last else self._pacing.hold(is_whole=poll.is_whole)
        call = api.available_jobs(
            limit=poll.limit, capability_key=poll.capability_key, wait=hold or None
        )
        if self._offers.activity != self._activity:
            self._activity = self._offers.activity
            self._pacing.note_work()
        asked = self._runtime.clock()
        reply = self._wire.send(call, hold + ANSWER_SECONDS)
        if self._offers.is_closed:
            return None
        try:
            rows = read_offers(reply)
        except Exception as error:  # noqa: BLE001 - an API error or a connection error
            return Fault(reply, error)
        self._recover()
        mine = [row for row in self._sound(rows) if row["capability_key"] in self._keys]
        date = parse_http_date(reply.headers.get("date"))
        kept = [(offer, self._until(offer, date)) for offer in mine]
        full = len(rows) >= poll.limit
        usable = self._offers.put(kept, asked, more=full, last=is_last)
        self._plan.note_page(poll, len(rows), usable, len(reply.body))
        turns = self._plan.turns(self._offers.need()[0])
        self._pacing.note_page(asked, turns, self._runtime.random())
        return None

    def _sound(self, rows: Sequence[TaskInfo | BadOffer]) -> list[TaskInfo]:
        """Return the valid offers, and log the problems of the others."""
        for row in rows:
            # Log each problem once, because the same row comes with every poll.
            told = self._told_problems
            if (
                isinstance(row, BadOffer)
                and row.problem not in told
                and len(told) < MAX_TOLD_PROBLEMS
            ):
                told.add(row.problem)
                log.warning("skipped a malformed offer: %s", row.problem)
        return [row for row in rows if not isinstance(row, BadOffer)]

    def _until(self, offer: TaskInfo, date: datetime | None) -> float:
        """Return the clock time at which a bid window ends. A window in the past is not trusted."""
        now = self._runtime.clock()
        until = parse_iso(offer.get("bid_expires_at"))
        if until is None or date is None:
            return now + UNDATED_SECONDS
        left = (until - date).total_seconds()
        if left <= 0:
            if not self._told_closed_window:
                self._told_closed_window = True
                log.warning(
                    "bid window expired: job %s is still offered, so the worker bids on it. "
                    "The Date of the responses may be wrong: check the clock of the proxy.",
                    offer["job_id"],
                )
            left = UNDATED_SECONDS
        return now + left

    def _fatal(self, fault: Fault) -> Exception | None:
        """Return the error of a fatal fault, or None when the loop must continue."""
        if fault.is_unregistered and not self._registers:
            return WorkerNotEnabled(getattr(fault.error, "detail", ""))
        return fault.error if is_key_refused(fault.reply) else None

    def _suspend(self, fault: Fault) -> None:
        if fault.is_unregistered:
            self.lose_registration()
        delay = self._backoff.fail(fault.reply.retry_after, self._runtime.random())
        self.succeeded = False
        self._pacing.note_fault()
        self._plan.note_fault()
        self._activity = self._offers.activity
        self._offers.suspend(delay)
        log.warning("polling failed, retry in %.1f s: %s", delay, describe(fault.error))

    def _recover(self) -> None:
        if self._backoff.faults:
            log.info("polling works after %d faults", self._backoff.faults)
        self._backoff.succeed()
        self.succeeded = True


def tell_registration(registration: Registration) -> None:
    """Log the registered capabilities, and those that the catalog does not have.

    Args:
        registration: The result of a registration.
    """
    log.info("registered: %s", ", ".join(registration["registered"]) or "nothing")
    if registration["skipped_unknown"]:
        log.warning(
            "not in the platform's catalog, no job will come: %s",
            ", ".join(registration["skipped_unknown"]),
        )
