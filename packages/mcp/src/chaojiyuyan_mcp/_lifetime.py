"""How a server ends: with its input, with its client, by a signal; each time at once and well."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from anyio import AsyncFile
    from mcp.server.lowlevel import Server

SIGNALS = (signal.SIGINT, signal.SIGTERM)

END_TIMEOUT = 0.8
"""Seconds that an orderly end may take. What hangs then, such as a name look-up, is cut off."""

PARENT_INTERVAL = 0.4
"""Seconds between two checks whether the parent process is there."""


def exit_at_signal() -> None:
    """End by exit code 0 on a signal that comes while the server is still being loaded."""
    for number in SIGNALS:
        signal.signal(number, _exit)


def run(server: Server[None], source: int, sink: int) -> None:
    """Serve one client until one of the two is to end.

    Args:
        server: What is served.
        source: The descriptor that the client writes to.
        sink: The descriptor that the client reads.
    """
    with _limit() as limit:
        asyncio.run(_serve(server, source, sink, limit))


async def _serve(
    server: Server[None], source: int, sink: int, at_end: Callable[[], object]
) -> None:
    from mcp.server.stdio import stdio_server

    from ._stdio import Lines, Output

    # Whatever ends the server is taken as the end of its input: then the protocol's own library
    # cancels the running calls, and tells the client so.
    lines = Lines(source, at_end)
    output = Output(sink, lines.end)
    watching = asyncio.create_task(_watch_parent(lines.end))
    with _signals(lines.end):
        async with stdio_server(cast("AsyncFile[str]", lines), cast("AsyncFile[str]", output)) as (
            incoming,
            outgoing,
        ):
            await server.run(incoming, outgoing, server.create_initialization_options())
        output.close()
        watching.cancel()


@contextlib.contextmanager
def _limit() -> Iterator[Callable[[], None]]:
    """Give a function that ends the process soon, unless the body is done before."""
    timer = threading.Timer(END_TIMEOUT, os._exit, (0,))
    timer.daemon = True

    def begin() -> None:
        if not timer.is_alive():
            timer.start()

    try:
        yield begin
    finally:
        timer.cancel()


async def _watch_parent(stop: Callable[[], object]) -> None:
    """Stop when the parent process is gone, though another one may hold our input open.

    On Windows a process keeps the id of a parent that is gone; there the input's end has to do.
    """
    if sys.platform == "win32":
        return
    parent = os.getppid()
    while os.getppid() == parent:  # noqa: ASYNC110  # no event tells of it everywhere
        await asyncio.sleep(PARENT_INTERVAL)
    stop()


@contextlib.contextmanager
def _signals(stop: Callable[[], object]) -> Iterator[None]:
    """Stop at a signal; ignore further ones, which must not disturb the end."""
    loop = asyncio.get_running_loop()

    def at_signal(_: int, __: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop)

    for number in SIGNALS:
        if sys.platform == "win32":
            signal.signal(number, at_signal)
        else:
            loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in SIGNALS:
            if sys.platform != "win32":
                loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)


def _exit(_: int, __: FrameType | None) -> None:
    os._exit(0)
