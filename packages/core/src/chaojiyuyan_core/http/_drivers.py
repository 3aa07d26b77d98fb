"""The two functions that run a flow: on a thread, or on an event loop."""

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
    """An object that sends calls, such as a :class:`Transport`."""

    def send(self, call: Call[object] | Fetch, timeout: float | None = None) -> Reply:
        """Send a call once.

        Args:
            call: The request.
            timeout: Maximum seconds for the whole attempt; None uses the default.
        """


def run(flow: Flow[T], transport: Sender, *, sleep: Callable[[float], object] = time.sleep) -> T:
    """Run a flow on the calling thread until it ends.

    Args:
        flow: The flow.
        transport: Sends its calls.
        sleep: Sleeps for the given seconds.

    Returns:
        The result of the flow.

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
                # Avoids Python's warning that it was never awaited.
                getattr(told, "close", lambda: None)()
                raise TypeError("An async listener needs the async client: pass a plain function")
    finally:
        flow.close()


async def run_async(
    flow: Flow[T],
    transport: AsyncTransport,
    *,
    sleep: Callable[[float], Awaitable[object]] | None = None,
) -> T:
    """Run a flow on the running event loop (asyncio or trio) until it ends.

    Args:
        flow: The flow.
        transport: Sends its calls.
        sleep: Sleeps for the given seconds, by default ``anyio.sleep``.

    Returns:
        The result of the flow.
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
