"""The handlers of a worker: a function for each capability, and how it is to be run."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

Function = TypeVar("Function", bound="Callable[..., Any]")


@dataclass(frozen=True, slots=True)
class Handler:
    """A function that works a capability's jobs.

    Attributes:
        capability_key: The capability.
        function: Takes a :class:`~chaojiyuyan_worker.TaskContext` and returns the output envelope;
            plain or ``async``.
        concurrency: How many of its jobs may run at a time; None for the worker's.
        executor: Where it runs; None for the worker's own threads or event loop.
        timeout: Seconds, from its start, after which a run of it is given up.
    """

    capability_key: str
    function: Callable[..., Any]
    concurrency: int | None = None
    executor: Executor | None = None
    timeout: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.capability_key, str) or not self.capability_key.strip():
            raise ValueError("capability_key is empty")
        if not callable(self.function):
            raise TypeError(f"the handler of {self.capability_key} is not callable")
        if self.concurrency is not None:
            check_concurrency(self.concurrency)
        if self.timeout is not None and self.timeout <= 0:
            raise ValueError(f"timeout must be above 0 s, not {self.timeout}")

    @property
    def is_async(self) -> bool:
        """Whether the function is a coroutine function, an object's ``__call__`` included."""
        function = self.function
        return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(function, "__call__", None)  # noqa: B004 - its kind is asked for
        )


def check_concurrency(concurrency: int) -> int:
    """Return the number of jobs at a time.

    Args:
        concurrency: The number.

    Raises:
        ValueError: It is not a whole number above 0.
    """
    if isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1:
        raise ValueError(f"concurrency must be a whole number above 0, not {concurrency!r}")
    return concurrency
