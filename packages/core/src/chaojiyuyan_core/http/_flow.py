"""Flows: generators that describe the steps of a protocol without I/O."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from ._reply import Reply

if TYPE_CHECKING:
    from chaojiyuyan_core.api import Call, Fetch

    from ._retry import Retry

T = TypeVar("T")

MIN_ATTEMPT_SECONDS = 0.3
"""Minimum seconds of an attempt, even past the deadline, because the last attempt starts there."""


class Send(NamedTuple):
    """The step that sends a call once. Its result is a :class:`Reply`.

    Attributes:
        call: The request. The content of a fetch goes to its sink.
        timeout: Maximum seconds for the attempt; None uses the default of the transport.
    """

    call: Call[object] | Fetch
    timeout: float | None = None


class Sleep(NamedTuple):
    """The step that sleeps.

    Attributes:
        seconds: The seconds to sleep.
    """

    seconds: float


class Notify(NamedTuple):
    """The step that calls a listener. The async driver awaits an awaitable result.

    Attributes:
        listener: The function to call.
        news: The argument of the function.
    """

    listener: Callable[[Any], object]
    news: object


Step = Send | Sleep | Notify
Flow = Generator[Step, Reply | None, T]


def send(call: Call[object] | Fetch, *, timeout: float | None = None) -> Flow[Reply]:
    """Send a call once.

    Args:
        call: The request.
        timeout: Maximum seconds for the attempt; None uses the default of the transport.

    Returns:
        The flow that returns the reply: a response or a connection error.
    """
    return cast("Reply", (yield Send(call, timeout)))


def exchange(
    call: Call[object] | Fetch,
    retry: Retry,
    *,
    left: Callable[[], float] | None = None,
    draw: Callable[[], float] = random.random,
) -> Flow[Reply]:
    """Send a call with retries, and return the last response with any status.

    Args:
        call: The request.
        retry: The number and the delays of retries.
        left: Returns the seconds until the deadline. An attempt ends at the deadline, and there is
            no retry after it. None means no deadline.
        draw: Returns a number from 0 to 1 for the jitter.

    Returns:
        The flow that returns the reply.

    Raises:
        httpx.HTTPError: The connection failed in the last attempt.
        ResponseFormatError: The last response was too large or had an unknown encoding.
    """
    attempt = 0
    while True:
        timeout = None if left is None else max(left(), MIN_ATTEMPT_SECONDS)
        # Without send(), which would add a generator for each waiting request.
        reply = cast("Reply", (yield Send(call, timeout)))
        delay = retry.delay(call, reply, attempt, draw())
        if delay is not None and (left is None or delay < left()):
            yield Sleep(delay)
            attempt += 1
        elif reply.fault is not None:
            raise reply.fault
        else:
            return reply


def request(call: Call[T], retry: Retry, *, left: Callable[[], float] | None = None) -> Flow[T]:
    """Send a call with retries, and return its result.

    Args:
        call: The request.
        retry: The number and the delays of retries.
        left: See :func:`exchange`.

    Returns:
        The flow that returns the result of the call.

    Raises:
        HebingAPIError: The last response is an error.
        httpx.HTTPError: The connection failed in the last attempt.
    """
    reply = yield from exchange(call, retry, left=left)
    return reply.value(call)
