"""A lease: the hold on one awarded job, and when it ends."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from chaojiyuyan_core.times import parse_http_date, parse_iso

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from chaojiyuyan_worker.leases import LeaseKeeper

DEFAULT_LENGTH = 30.0
"""Seconds that a lease is taken to last where the answer does not tell."""

MARGIN = 1.0
"""Seconds taken off every lease: an HTTP date has no decimals, and an answer takes its way."""

NEVER = float("inf")


class Loss(Enum):
    """Why a lease was lost."""

    EXPIRED = "no heartbeat was answered before its deadline"
    GONE = "the platform has re-routed or settled the job"
    HELD_TOO_LONG = "it was held for longer than allowed"
    ABANDONED = "its holder was closed"


def lease_deadline(expires_at: object, response: httpx.Response, sent: float) -> float:
    """Return when a lease ends, by the clock that ``sent`` was read from.

    Both times in the answer are the server's, so a local clock that is wrong does not matter.

    :param expires_at: the answer's ``lease_expires_at``.
    :param response: the answer; its ``Date`` is the server's now.
    :param sent: when the request was sent, in seconds of :func:`boot_clock`.
    """
    until = parse_iso(expires_at)
    date = parse_http_date(response.headers.get("date"))
    length = (until - date).total_seconds() if until and date else DEFAULT_LENGTH
    if length <= MARGIN:
        length = DEFAULT_LENGTH  # nobody grants that: a proxy has put its own, wrong Date on it
    return sent + length - MARGIN


def is_gone(response: httpx.Response) -> bool:
    """Tell whether an answer says that the job is not ours any more.

    A page in HTML is a proxy's, which says nothing about the job.
    """
    kind: str = response.headers.get("content-type", "")
    return response.status_code in (404, 410) and "html" not in kind


class Lease:
    """The hold on one job. Made by :meth:`LeaseKeeper.hold`.

    ``job_id`` is the job; ``deadline`` is when the lease ends, in seconds of the keeper's clock.
    """

    __slots__ = (
        "_keeper",
        "beating",
        "deadline",
        "held_until",
        "job_id",
        "loss",
        "next_beat",
        "on_lost",
        "released",
        "wake",
    )

    def __init__(
        self,
        keeper: LeaseKeeper,
        job_id: str,
        deadline: float,
        on_lost: Callable[[Lease], object] | None,
    ) -> None:
        self._keeper = keeper
        self.job_id = job_id
        self.deadline = deadline
        self.on_lost = on_lost
        # The rest is the keeper's, under its lock.
        self.held_until = self.next_beat = self.wake = NEVER
        self.loss: Loss | None = None
        self.beating = self.released = False

    @property
    def lost(self) -> Loss | None:
        """Why the lease is lost, or None. It is lost once its deadline has passed."""
        if self.loss is None and not self.released and self.remaining() <= 0:
            self._keeper.lose(self, Loss.EXPIRED)
        return self.loss

    def remaining(self) -> float:
        """Return the seconds until the deadline; not above 0 when it has passed."""
        return self.deadline - self._keeper.clock()

    def limit(self, seconds: float | None) -> None:
        """Lose the lease in so many seconds from now, beats or not; None takes the limit away."""
        self._keeper.limit(self, seconds)

    def release(self) -> None:
        """Beat no more; ``on_lost`` is not called from here on. Repeating it does nothing."""
        self._keeper.release(self)
