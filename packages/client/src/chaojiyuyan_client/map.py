"""Many jobs of one capability, some at a time: how they are ordered, and what came of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from chaojiyuyan_core.errors import JobFailed
from chaojiyuyan_core.http import check_seconds
from chaojiyuyan_core.models import JsonObject

from ._arguments import to_object
from ._order import OrderOptions
from .job import AsyncJob, Job

J = TypeVar("J", Job, AsyncJob)


@dataclass(frozen=True, slots=True)
class MapResult(Generic[J]):
    """What came of one input.

    Attributes:
        index: The input's place among all, from 0.
        input: The input, as it was given.
        job: The job as it ended; None where it was not ordered, or did not end in time.
        error: Why there is no output; None where there is one.
    """

    index: int
    input: Any
    job: J | None
    error: Exception | None

    @property
    def output(self) -> JsonObject:
        """The job's output.

        Raises:
            Exception: The `error`, where there is one.
        """
        if self.error is not None or self.job is None:
            raise self.error or RuntimeError("the input has neither a job nor an error")
        return self.job._output()


@dataclass(frozen=True, slots=True)
class Plan:
    """How a map orders its jobs.

    Attributes:
        capability_key: The capability.
        concurrency: Maximum number of inputs that are taken and not yet yielded.
        ordered: Whether results come in the order of the inputs, else as the jobs end.
        return_exceptions: Whether an error is part of its result, else raised.
        timeout: Seconds for each job.
        idempotency_prefix: What the idempotency keys begin with; None for keys that no other run
            has.
        retry_failed: Whether a job that failed in an earlier run is ordered again.
        options: The terms of each order.
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
        """Check the arguments, before anything is ordered."""
        if not isinstance(self.concurrency, int) or self.concurrency < 1:
            raise ValueError(f"concurrency is a whole number, 1 or more, not {self.concurrency!r}")
        check_seconds("timeout", self.timeout)
        unknown = self.options.keys() - OrderOptions.__annotations__.keys()
        if unknown:
            raise TypeError(f"map takes no argument {min(unknown)!r}")
        if self.idempotency_prefix is not None and self.options.get("reuse") is not None:
            raise ValueError("reuse makes the idempotency keys: pass one of the two")
        if self.idempotency_prefix == "":
            raise ValueError("idempotency_prefix is empty: name this batch, or pass None")
        if self.retry_failed and self.idempotency_prefix is None:
            raise ValueError("retry_failed needs the idempotency_prefix of the earlier run")

    def key(self, index: int, payload: dict[str, object]) -> str | None:
        """Return the idempotency key of an input: an edited one never gets another's result.

        Args:
            index: The input's place.
            payload: The input.
        """
        if self.idempotency_prefix is None:
            return None
        from ._canonical import hash_input

        digest = hash_input(self.capability_key, payload)[:32]
        return f"{self.idempotency_prefix}-{index}-{digest}"

    @staticmethod
    def payload(item: object) -> dict[str, object]:
        """Return an input in the form that the API takes.

        Args:
            item: The input, as it was given.
        """
        return to_object("input", item)


class Window(Generic[J]):
    """The inputs that are taken and not yet yielded, and the results that are ready.

    Args:
        concurrency: Maximum number of both together.
        ordered: Whether results leave in the order in which their inputs came.
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
        """The index of the result that leaves next; None for any."""
        return self._yielded if self._ordered else None

    @property
    def is_empty(self) -> bool:
        """Whether each input that was taken has been yielded."""
        return self._taken == self._yielded

    def take(self) -> int:
        """Take an input, and return its number from 0."""
        self._taken += 1
        return self._taken - 1

    def put(self, results: Iterable[MapResult[J]]) -> None:
        """Keep results until they are popped.

        Args:
            results: What became of some inputs.
        """
        self._ready.update((result.index, result) for result in results)

    def pop(self) -> MapResult[J] | None:
        """Return the next result to yield, or None while there is none."""
        if not self._ready or (self._ordered and self._yielded not in self._ready):
            return None
        index = self._yielded if self._ordered else next(iter(self._ready))
        self._yielded += 1
        return self._ready.pop(index)


def make_result(index: int, item: object, job: J | None, error: Exception | None) -> MapResult[J]:
    """Return what came of an input; a job that did not succeed is an error.

    Args:
        index: The input's place.
        item: The input, as it was given.
        job: The job as it ended, if it did.
        error: What was raised instead.
    """
    if error is None and job is not None and not job.succeeded:
        error = JobFailed(job)
    return MapResult(index, item, job, error)


def check_result(result: MapResult[J], plan: Plan) -> MapResult[J]:
    """Return a result, or raise its error where the plan says so.

    Args:
        result: What came of an input.
        plan: How the jobs are ordered.
    """
    if result.error is not None and not plan.return_exceptions:
        raise result.error
    return result
