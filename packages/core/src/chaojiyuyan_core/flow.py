"""Logic as generators, I/O as drivers.

A flow yields steps (send this call, sleep so long) and is sent what came of them. It does no I/O
and knows no clock of its own, so it is tested step by step; the two drivers run the same flow with
``httpx.Client`` or ``httpx.AsyncClient``, so sync and async cannot differ.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Generator
from typing import TYPE_CHECKING, NamedTuple, TypeVar, Union, cast

from .answers import value_of

if TYPE_CHECKING:
    import httpx

    from .api import Call, Fetch
    from .retry import Retry
    from .transport import AsyncTransport, Transport

T = TypeVar("T")

LEAST_TIMEOUT = 1.0
"""Seconds that an attempt is given at least, though the deadline is nearer than that."""


class Send(NamedTuple):
    """The step that sends a call once. Its answer is the response, or the fault on the way to it.

    The response is whole, but for a fetch: what that brings goes into its sink.

    :param call: what to send.
    :param timeout: seconds at most for this attempt, where that is less than the transport's.
    """

    call: Call[object] | Fetch
    timeout: float | None = None


class Sleep(NamedTuple):
    """The step that waits. Its answer is None."""

    seconds: float


Step = Send | Sleep
Answer = Union["httpx.Response", Exception, None]
Flow = Generator[Step, Answer, T]


def send(
    call: Call[object] | Fetch, *, timeout: float | None = None
) -> Flow[httpx.Response | Exception]:
    """Send a call once and return its answer, or the fault on the way to it."""
    answer = yield Send(call, timeout)
    return cast("httpx.Response | Exception", answer)


def exchange(
    call: Call[object] | Fetch,
    retry: Retry,
    *,
    left: Callable[[], float] | None = None,
    draw: Callable[[], float] = random.random,
) -> Flow[httpx.Response]:
    """Send a call, again where ``retry`` says so, and return the last answer, whatever its status.

    :param left: tells the seconds until the deadline; an attempt takes no longer, and there is none
        past it. Without it there is no deadline.
    :param draw: gives a number from 0 to 1 for the jitter.
    :raises httpx.HTTPError: the last attempt met a fault on the wire.
    """
    attempt = 0
    while True:
        answer = yield from send(call, timeout=None if left is None else max(left(), LEAST_TIMEOUT))
        delay = retry.delay(call, answer, attempt, draw())
        if delay is not None and (left is None or delay < left()):
            yield Sleep(delay)
            attempt += 1
        elif isinstance(answer, Exception):
            raise answer
        else:
            return answer


def request(call: Call[T], retry: Retry, *, left: Callable[[], float] | None = None) -> Flow[T]:
    """Send a call, again where ``retry`` says so, and return what it reads from the answer.

    :param left: see :func:`exchange`.
    :raises HebingAPIError: the last answer is an error.
    :raises httpx.HTTPError: the last attempt met a fault on the wire.
    """
    response = yield from exchange(call, retry, left=left)
    return value_of(call, response)


def run(
    flow: Flow[T], transport: Transport, *, sleep: Callable[[float], object] | None = None
) -> T:
    """Run a flow to its end on the calling thread.

    :param sleep: waits the given seconds; ``time.sleep`` by default.
    """
    if sleep is None:
        sleep = time.sleep
    answer: Answer = None
    try:
        while True:
            step = flow.send(answer)
            if isinstance(step, Send):
                answer = transport.send(step.call, step.timeout)
            else:
                sleep(step.seconds)
                answer = None
    except StopIteration as end:
        return cast("T", end.value)
    finally:
        flow.close()


async def run_async(
    flow: Flow[T],
    transport: AsyncTransport,
    *,
    sleep: Callable[[float], Awaitable[object]] | None = None,
) -> T:
    """Run a flow to its end on the running event loop.

    :param sleep: waits the given seconds; ``asyncio.sleep`` by default.
    """
    if sleep is None:
        import asyncio

        sleep = asyncio.sleep
    answer: Answer = None
    try:
        while True:
            step = flow.send(answer)
            if isinstance(step, Send):
                answer = await transport.send(step.call, step.timeout)
            else:
                await sleep(step.seconds)
                answer = None
    except StopIteration as end:
        return cast("T", end.value)
    finally:
        flow.close()
