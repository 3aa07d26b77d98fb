"""The handlers of a worker: a function and its options for each capability."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from .signature import Signature, TypedCall, read_signature

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from concurrent.futures import Executor

    from chaojiyuyan_worker.task import TaskContext


class DataclassInstance(Protocol):
    """An object of a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


class Model(Protocol):
    """An object of a pydantic model."""

    def model_dump(self) -> dict[str, Any]:
        """Return the object as a dict."""


if TYPE_CHECKING:
    Output = Mapping[str, object] | DataclassInstance | Model
    Returned = Output | Awaitable[Output]
    HandlerFunction = Callable[[Any], Returned] | Callable[[Any, TaskContext], Returned]

Function = TypeVar("Function", bound="HandlerFunction")


@dataclass(frozen=True, slots=True)
class Handler:
    """A function that does the jobs of a capability.

    Attributes:
        capability_key: The key of the capability.
        function: The function, plain or ``async``. It gets the task, the input or both, and
            returns the output.
        concurrency: Maximum number of its running jobs; None uses the worker's.
        executor: The executor; None uses the worker's threads or event loop.
        timeout: Seconds from its start after which a run is given up; None for no limit.
        input_type: The type of the input; None uses the annotation.
        output_type: The type of the output; None uses the annotation.
        signature: The arguments that the function expects.
        is_async: Whether the function, or the ``__call__`` of an object, is a coroutine function.
    """

    capability_key: str
    function: Callable[..., Any]
    concurrency: int | None = None
    executor: Executor | None = None
    timeout: float | None = None
    input_type: Any = None
    output_type: Any = None
    signature: Signature = field(init=False)
    is_async: bool = field(init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.capability_key, str) or not self.capability_key.strip():
            raise ValueError("capability_key is empty")
        if not callable(self.function):
            raise TypeError(f"the handler of {self.capability_key} is not callable")
        if self.concurrency is not None:
            check_concurrency(self.concurrency)
        if self.timeout is not None and self.timeout <= 0:
            raise ValueError(f"timeout must be above 0 s, not {self.timeout}")
        signature = read_signature(
            self.function, self.capability_key, self.input_type, self.output_type
        )
        object.__setattr__(self, "signature", signature)
        object.__setattr__(self, "is_async", _is_async(self.function))

    @property
    def call(self) -> Callable[[TaskContext], Any]:
        """A function that calls the handler with only the task."""
        return (
            TypedCall(self.function, self.signature) if self.signature.takes_data else self.function
        )


def _is_async(function: Callable[..., object]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - to check its kind
    )


def check_concurrency(concurrency: int) -> int:
    """Return a valid concurrency.

    Args:
        concurrency: The maximum number of running jobs.

    Raises:
        ValueError: The number is not a whole number above 0.
    """
    if isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1:
        raise ValueError(f"concurrency must be a whole number above 0, not {concurrency!r}")
    return concurrency
