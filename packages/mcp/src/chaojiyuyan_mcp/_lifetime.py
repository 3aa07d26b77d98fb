"""Run the server until its input ends, its client is gone or a signal arrives, and stop fast."""

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
"""Maximum seconds for a graceful shutdown. After that, the process exits, whatever still runs."""

PARENT_INTERVAL = 0.4
"""Seconds between two checks whether the parent process still exists."""


def exit_at_signal() -> None:
    """Exit with code 0 when a signal arrives while the server is still loading."""
    for number in SIGNALS:
        signal.signal(number, _exit)


def run(server: Server[None], source: int, sink: int) -> None:
    """Serve one client until the client or the server ends.

    Args:
        server: The MCP server.
        source: The file descriptor that the client writes to.
        sink: The file descriptor that the client reads from.
    """
    with _limit() as limit:
        asyncio.run(_serve(server, source, sink, limit))


async def _serve(
    server: Server[None], source: int, sink: int, at_end: Callable[[], object]
) -> None:
    from mcp.server.stdio import stdio_server

    from ._stdio import Lines, Output

    # Every reason to stop is treated as the end of the input. The MCP library then cancels the
    # running calls and tells the client.
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
    """Yield a function that starts a timer, which ends the process unless the body ends first."""
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
    """Stop when the parent process is gone, even if another process keeps our input open.

    On Windows, a process keeps the id of an ended parent, so only the end of the input stops it.
    """
    if sys.platform == "win32":
        return
    parent = os.getppid()
    while os.getppid() == parent:  # noqa: ASYNC110  # no event exists on every system
        await asyncio.sleep(PARENT_INTERVAL)
    stop()


@contextlib.contextmanager
def _signals(stop: Callable[[], object]) -> Iterator[None]:
    """Stop at the first signal, and ignore later signals, which would disturb the shutdown."""
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
