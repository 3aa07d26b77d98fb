"""The hold on one job, as its holder sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .schedule import Loss

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaojiyuyan_worker.leases import LeaseKeeper

    from .schedule import LeaseTimes


class Lease:
    """The hold on one job, made by :meth:`LeaseKeeper.hold`.

    Attributes:
        job_id: The job.
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
        # The rest is the keeper's, under its lock.
        self.times = times
        self.on_lost = on_lost
        self.loss: Loss | None = None
        self.released = False

    @property
    def lost(self) -> Loss | None:
        """Why the lease is lost, or None. It is lost once its deadline has passed."""
        if self.loss is None and not self.released and self.remaining() <= 0:
            self._keeper.lose(self, Loss.EXPIRED)
        return self.loss

    @property
    def is_gone(self) -> bool:
        """Whether the platform has said that the job is not this worker's any more."""
        return self.loss is Loss.GONE

    def remaining(self) -> float:
        """Return the seconds until the deadline; 0 or less once the lease is lost."""
        return 0.0 if self.loss is not None else self.times.deadline - self._keeper.clock()

    def limit(self, seconds: float | None) -> None:
        """Lose the lease in so many seconds, heartbeats or not; None takes the limit away."""
        self._keeper.limit(self, seconds)

    def release(self) -> None:
        """End the heartbeats; ``on_lost`` is not called any more. Repeating it does nothing."""
        self._keeper.release(self)
