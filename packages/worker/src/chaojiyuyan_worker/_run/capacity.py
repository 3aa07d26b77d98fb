"""Limits on running jobs: in total, for each capability, and for each executor."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Executor

    from .handlers import Handler
    from .options import RunOptions


class Capacity:
    """Counts the running jobs and compares them with the limits. It is not thread-safe.

    An executor with a known number of workers gets at most that many jobs, because the lease of a
    job in its queue would expire there.

    Attributes:
        slots: Maximum number of running jobs of all capabilities together.

    Args:
        slots: Maximum number of running jobs of all capabilities together.
        limits: Maximum number of running jobs of each capability.
        pools: For each capability with such an executor, the executor's name and its number of
            workers.
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
            options: The options of the run.
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
        """The number of free slots."""
        return self.slots - self._total

    @property
    def keys(self) -> list[str]:
        """The keys of all capabilities."""
        return list(self._limits)

    @property
    def free_keys(self) -> list[str]:
        """The capabilities that may run another job, apart from the number of free slots."""
        return [key for key in self._limits if self.has_room(key)]

    def has_room(self, key: str) -> bool:
        """Return whether a capability may run another job, apart from the number of free slots.

        Args:
            key: The key of the capability.
        """
        if self._running[key] >= self._limits[key]:
            return False
        pool = self._pools.get(key)
        return pool is None or self._running[pool[0]] < pool[1]

    def start(self, key: str) -> None:
        """Count the start of a job."""
        self._add(key, 1)

    def end(self, key: str) -> None:
        """Count the end of a job."""
        self._add(key, -1)

    def _add(self, key: str, number: int) -> None:
        self._total += number
        self._running[key] += number
        if key in self._pools:
            self._running[self._pools[key][0]] += number


def count_workers(executor: Executor | None) -> int | None:
    """Return the number of workers of an executor, or None when it is unknown.

    Args:
        executor: The executor. The executors of the standard library and of loky have a known
            number, a cluster does not.
    """
    size = getattr(executor, "_max_workers", None)
    return size if isinstance(size, int) and size > 0 else None
