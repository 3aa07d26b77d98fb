"""How many jobs may run at a time: in all, of each capability, and in each executor."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Executor

    from .handlers import Handler
    from .options import RunOptions


class Capacity:
    """Counts the running jobs against their limits. Pure, and not thread-safe.

    An executor with a known number of workers is given no more jobs than that: a job in its queue
    would use up its lease there.

    Attributes:
        slots: How many jobs may run at a time, all capabilities together.

    Args:
        slots: See above.
        limits: How many jobs of each capability may run at a time.
        pools: For a capability that shares an executor: the executor's name and its workers.
    """

    def __init__(
        self,
        slots: int,
        limits: Mapping[str, int],
        pools: Mapping[str, tuple[object, int]] | None = None,
    ) -> None:
        self.slots = slots
        self._limits = limits
        self._pools = pools or {}
        self._running: Counter[object] = Counter()
        self._total = 0

    @classmethod
    def of(cls, handlers: Mapping[str, Handler], options: RunOptions) -> Capacity:
        """Return the capacity of a run.

        Args:
            handlers: The handlers by capability.
            options: What the run is told.
        """
        concurrency = options.concurrency
        limits = {key: handler.concurrency or concurrency for key, handler in handlers.items()}
        pools: dict[str, tuple[object, int]] = {}
        for key, handler in handlers.items():
            executor = handler.executor or options.executor
            size = count_workers(executor)
            if size is not None:
                pools[key] = (f"executor {id(executor)}", size)
        return cls(max(concurrency, *limits.values()), limits, pools)

    @property
    def free_slots(self) -> int:
        """How many more jobs may run, all capabilities together."""
        return self.slots - self._total

    @property
    def keys(self) -> list[str]:
        """Every capability."""
        return list(self._limits)

    @property
    def free_keys(self) -> list[str]:
        """The capabilities of which one more job may run, as far as slots do not matter."""
        return [key for key in self._limits if self.has_room(key)]

    def has_room(self, key: str) -> bool:
        """Return whether one more job of a capability may run, as far as slots do not matter.

        Args:
            key: The capability.
        """
        if self._running[key] >= self._limits[key]:
            return False
        pool = self._pools.get(key)
        return pool is None or self._running[pool[0]] < pool[1]

    def start(self, key: str) -> None:
        """Count a job that starts."""
        self._add(key, 1)

    def end(self, key: str) -> None:
        """Count a job that ends."""
        self._add(key, -1)

    def _add(self, key: str, number: int) -> None:
        self._total += number
        self._running[key] += number
        if key in self._pools:
            self._running[self._pools[key][0]] += number


def count_workers(executor: Executor | None) -> int | None:
    """Return how many functions an executor runs at a time; None where it does not tell.

    Args:
        executor: The executor. The standard library's and loky's tell; a cluster's does not.
    """
    size = getattr(executor, "_max_workers", None)
    return size if isinstance(size, int) and size > 0 else None
