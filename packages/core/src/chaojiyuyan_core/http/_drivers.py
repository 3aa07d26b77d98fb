"""The two drivers that run a flow: on a thread, or on an event loop."""

from __future__ import annotations

import time
from inspect import isawaitable
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from ._flow import Send, Sleep

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from chaojiyuyan_core.api import Call, Fetch

    from ._flow import Flow
    from ._reply import Reply
    from ._transport import AsyncTransport

T = TypeVar("T")


class Sender(Protocol):
    """What sends calls: a :class:`Transport`, or the like."""

    def send(self, call: Call[object] | Fetch, timeout: float | None = None) -> Reply:
        """Send a call once.

        Args:
            call: What to send.
            timeout: Seconds in total for the attempt.
        """


def run(flow: Flow[T], transport: Sender, *, sleep: Callable[[float], object] = time.sleep) -> T:
    """Run a flow to its end on the calling thread.

    Args:
        flow: What to run.
        transport: Sends its calls.
        sleep: Waits the given seconds.

    Returns:
        What the flow returns.

    Raises:
        TypeError: A listener of the flow is a coroutine function.
    """
    reply: Reply | None = None
    try:
        while True:
            try:
                step = flow.send(reply)
            except StopIteration as end:
                return cast("T", end.value)
            reply = None
            if isinstance(step, Send):
                reply = transport.send(step.call, step.timeout)
            elif isinstance(step, Sleep):
                sleep(step.seconds)
            elif isawaitable(told := step.listener(step.news)):
                getattr(told, "close", lambda: None)()  # or Python warns that it was not awaited
                raise TypeError("An async listener needs the async client: pass a plain function")
    finally:
        flow.close()


async def run_async(
    flow: Flow[T],
    transport: AsyncTransport,
    *,
    sleep: Callable[[float], Awaitable[object]] | None = None,
) -> T:
    """Run a flow to its end on the running event loop, asyncio's or trio's.

    Args:
        flow: What to run.
        transport: Sends its calls.
        sleep: Waits the given seconds; ``anyio.sleep`` by default.

    Returns:
        What the flow returns.
    """
    if sleep is None:
        import anyio

        sleep = anyio.sleep
    reply: Reply | None = None
    try:
        while True:
            try:
                step = flow.send(reply)
            except StopIteration as end:
                return cast("T", end.value)
            reply = None
            if isinstance(step, Send):
                reply = await transport.send(step.call, step.timeout)
            elif isinstance(step, Sleep):
                await sleep(step.seconds)
            elif isawaitable(told := step.listener(step.news)):
                await told
    finally:
        flow.close()
