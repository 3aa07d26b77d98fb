"""The plan and the results of `map`, which orders many jobs of one capability."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from chaojiyuyan_core.errors import JobFailed
from chaojiyuyan_core.http import check_seconds
from chaojiyuyan_core.models import JsonObject

from ._order import OrderOptions
from .job import AsyncJob, Job

J = TypeVar("J", Job, AsyncJob)


@dataclass(frozen=True, slots=True)
class MapResult(Generic[J]):
    """The result of one input.

    Attributes:
        index: The position of the input, from 0.
        input: The input as it was passed.
        job: The ended job, or None when it was not ordered or did not end in time.
        error: Why there is no output, or None when there is an output.
    """

    index: int
    input: Any
    job: J | None
    error: Exception | None

    @property
    def output(self) -> JsonObject:
        """The output of the job.

        Raises:
            Exception: The `error`, when there is one.
        """
        if self.error is not None or self.job is None:
            raise self.error or RuntimeError("the input has neither a job nor an error")
        return self.job._output()


@dataclass(frozen=True, slots=True)
class Plan:
    """The arguments of a map.

    Attributes:
        capability_key: The key of the capability.
        concurrency: Maximum number of inputs that are taken but whose result is not yielded.
        ordered: Whether results come in the order of the inputs. When false, they come as the jobs
            end.
        return_exceptions: Whether an error is returned in its result. When false, it is raised.
        timeout: Maximum seconds for each job.
        idempotency_prefix: The prefix of the idempotency keys; None for random keys.
        retry_failed: Whether to order jobs again that failed in an earlier run.
        options: The options of each order.
    """

    capability_key: str
    concurrency: int
    ordered: bool
    return_exceptions: bool
    timeout: float
    idempotency_prefix: str | None
    retry_failed: bool
    options: OrderOptions

    def __post_init__(self) -> None:
        """Check the arguments before the first order."""
        if not isinstance(self.concurrency, int) or self.concurrency < 1:
            raise ValueError(f"concurrency is a whole number, 1 or more, not {self.concurrency!r}")
        check_seconds("timeout", self.timeout)
        unknown = self.options.keys() - OrderOptions.__annotations__.keys()
        if unknown:
            raise TypeError(f"map() has no argument {min(unknown)!r}")
        if self.idempotency_prefix is not None and self.options.get("reuse") is not None:
            raise ValueError(
                "reuse sets the idempotency keys: pass either reuse or idempotency_prefix"
            )
        if self.idempotency_prefix == "":
            raise ValueError("idempotency_prefix is empty: name this batch, or pass None")
        if self.retry_failed and self.idempotency_prefix is None:
            raise ValueError("retry_failed needs the idempotency_prefix of the earlier run")

    def key(self, index: int, payload: dict[str, object]) -> str | None:
        """Return the idempotency key of an input, which contains its hash.

        With the hash, a changed input never gets the result of the old one.

        Args:
            index: The position of the input.
            payload: The input.
        """
        if self.idempotency_prefix is None:
            return None
        from ._canonical import hash_input

        digest = hash_input(self.capability_key, payload)[:32]
        return f"{self.idempotency_prefix}-{index}-{digest}"


class Window(Generic[J]):
    """Counts the inputs whose result is not yielded, and keeps the ready results.

    Args:
        concurrency: Maximum number of inputs that are taken but whose result is not yielded.
        ordered: Whether results are yielded in the order of their inputs.
    """

    def __init__(self, concurrency: int, *, ordered: bool) -> None:
        self._concurrency = concurrency
        self._ordered = ordered
        self._taken = 0
        self._yielded = 0
        self._ready: dict[int, MapResult[J]] = {}

    @property
    def has_room(self) -> bool:
        """Whether another input may be taken."""
        return self._taken - self._yielded < self._concurrency

    @property
    def wanted(self) -> int | None:
        """The index of the next result to yield, or None for any."""
        return self._yielded if self._ordered else None

    @property
    def is_empty(self) -> bool:
        """Whether the results of all taken inputs have been yielded."""
        return self._taken == self._yielded

    def take(self) -> int:
        """Count an input as taken, and return its index."""
        self._taken += 1
        return self._taken - 1

    def put(self, results: Iterable[MapResult[J]]) -> None:
        """Keep results until they are popped.

        Args:
            results: Results of inputs.
        """
        self._ready.update((result.index, result) for result in results)

    def pop(self) -> MapResult[J] | None:
        """Return the next result to yield, or None when it is not ready."""
        if not self._ready or (self._ordered and self._yielded not in self._ready):
            return None
        index = self._yielded if self._ordered else next(iter(self._ready))
        self._yielded += 1
        return self._ready.pop(index)


def make_result(index: int, item: object, job: J | None, error: Exception | None) -> MapResult[J]:
    """Return the result of an input. A job that did not succeed becomes an error.

    Args:
        index: The position of the input.
        item: The input as it was passed.
        job: The ended job, or None.
        error: The exception that was raised instead, or None.
    """
    if error is None and job is not None and not job.succeeded:
        error = JobFailed(job)
    return MapResult(index, item, job, error)


def check_result(result: MapResult[J], plan: Plan) -> MapResult[J]:
    """Return a result, or raise its error without `return_exceptions`.

    Args:
        result: The result of an input.
        plan: The arguments of the map.
    """
    if result.error is not None and not plan.return_exceptions:
        raise result.error
    return result
