"""Logic as generators: what to do next, without doing it."""

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
"""Seconds that an attempt is given, though the deadline is nearer: the last one is made there."""


class Send(NamedTuple):
    """The step that sends a call once. Its outcome is a :class:`Reply`.

    Attributes:
        call: What to send. The content of a fetch goes into its sink.
        timeout: Seconds in total for this attempt; None leaves it to the transport.
    """

    call: Call[object] | Fetch
    timeout: float | None = None


class Sleep(NamedTuple):
    """The step that waits.

    Attributes:
        seconds: How long.
    """

    seconds: float


class Notify(NamedTuple):
    """The step that tells a listener. Where it returns an awaitable, the async driver awaits it.

    Attributes:
        listener: What is called.
        news: What it is called with.
    """

    listener: Callable[[Any], object]
    news: object


Step = Send | Sleep | Notify
Flow = Generator[Step, Reply | None, T]


def send(call: Call[object] | Fetch, *, timeout: float | None = None) -> Flow[Reply]:
    """Send a call once.

    Args:
        call: What to send.
        timeout: Seconds in total for the attempt; None leaves it to the transport.

    Returns:
        What came of it: an answer, or a fault on the way to one.
    """
    return cast("Reply", (yield Send(call, timeout)))


def exchange(
    call: Call[object] | Fetch,
    retry: Retry,
    *,
    left: Callable[[], float] | None = None,
    draw: Callable[[], float] = random.random,
) -> Flow[Reply]:
    """Send a call, again where ``retry`` says so, and return the last answer, whatever its status.

    Args:
        call: What to send.
        retry: When to send it again.
        left: Tells the seconds until the deadline; an attempt takes no longer, and there is no
            retry past it. Without it there is no deadline.
        draw: Gives a number from 0 to 1 for the jitter.

    Raises:
        httpx.HTTPError: The last attempt met a fault on the wire.
        ResponseFormatError: The last answer was too large or in an unknown encoding.
    """
    attempt = 0
    while True:
        timeout = None if left is None else max(left(), MIN_ATTEMPT_SECONDS)
        # Not by send(): each request that waits would hold another generator.
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
    """Send a call, again where ``retry`` says so, and return what it reads from the answer.

    Args:
        call: What to send.
        retry: When to send it again.
        left: See :func:`exchange`.

    Raises:
        HebingAPIError: The last answer is an error.
        httpx.HTTPError: The last attempt met a fault on the wire.
    """
    reply = yield from exchange(call, retry, left=left)
    return reply.value(call)
