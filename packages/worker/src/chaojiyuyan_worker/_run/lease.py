"""The lease of one job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .schedule import Loss

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaojiyuyan_worker.leases import LeaseKeeper

    from .schedule import LeaseTimes


class Lease:
    """The lease of one job, made by :meth:`LeaseKeeper.hold`.

    Attributes:
        job_id: The id of the job.
    """

    __slots__ = ("_keeper", "job_id", "loss", "on_lost", "released", "times")

    def __init__(
        self,
        keeper: LeaseKeeper,
        job_id: str,
        times: LeaseTimes,
        on_lost: Callable[[Lease], object] | None,
    ) -> None:
        self._keeper = keeper
        self.job_id = job_id
        # Only the keeper uses the other attributes, under its lock.
        self.times = times
        self.on_lost = on_lost
        self.loss: Loss | None = None
        self.released = False

    @property
    def lost(self) -> Loss | None:
        """Why the lease was lost, or None. It is lost when its deadline has passed."""
        if self.loss is None and not self.released and self.remaining() <= 0:
            self._keeper.lose(self, Loss.EXPIRED)
        return self.loss

    @property
    def is_held(self) -> bool:
        """Whether the lease was neither lost nor released."""
        return self.lost is None and not self.released

    @property
    def is_gone(self) -> bool:
        """Whether the platform has said that the job no longer belongs to this worker."""
        return self.loss is Loss.GONE

    def remaining(self) -> float:
        """Return the seconds until the deadline, or 0 or less after the lease was lost."""
        return 0.0 if self.loss is not None else self.times.deadline - self._keeper.clock()

    def limit(self, seconds: float | None) -> None:
        """Lose the lease after a time, whatever heartbeats do.

        Args:
            seconds: Seconds from now; None removes the limit.
        """
        self._keeper.limit(self, seconds)

    def release(self) -> None:
        """Stop the heartbeats. ``on_lost`` is not called afterwards. A repeat does nothing."""
        self._keeper.release(self)
