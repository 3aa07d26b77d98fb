"""The protocol's two pipes, out of everybody else's reach, on threads that can be abandoned.

A read that is blocked on standard input cannot be interrupted, and one on a pool's thread would
keep the process alive; these threads are daemons, and take no lock that ending could wait for.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LAST_ANSWERS_TIMEOUT = 0.2
"""Seconds from the end of the input for the answers to what stood before it: a file piped in."""

LAST_WRITES_TIMEOUT = 0.5
"""Seconds that a client is given to read the last answers."""

_CHUNK = 1 << 16


def claim_pipes() -> tuple[int, int]:
    """Take standard input and output for the protocol; return the two private descriptors.

    From here on descriptor 0 is empty and descriptor 1 leads to standard error, for this process
    and its children: what a library prints cannot get between the messages.
    """
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    try:
        os.dup2(2, 1)
    except OSError:  # there is no standard error
        os.dup2(nothing, 1)
    os.close(nothing)
    return source, sink


class Lines:
    """The lines that a client sends, as an asynchronous iterator; it ends with the input."""

    def __init__(self, source: int, at_end: Callable[[], object]) -> None:
        """Begin to read.

        Args:
            source: The descriptor to read.
            at_end: Called on the event loop once the input has ended.
        """
        self._source = source
        self._at_end = at_end
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, name="mcp-input", daemon=True).start()

    def __aiter__(self) -> Lines:
        """Iterate over the lines, once."""
        return self

    async def __anext__(self) -> str:
        """Return the next line."""
        line = await self._queue.get()
        if line is None:
            raise StopAsyncIteration
        return line

    def end(self, grace: float = 0.0) -> None:
        """Take the input as ended after what has been read so far.

        Args:
            grace: Seconds for the answers to it.
        """
        self._at_end()
        self._loop.call_later(grace, self._queue.put_nowait, None)

    def _read(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            for line in _lines(self._source):
                text = line.decode(errors="replace")
                self._loop.call_soon_threadsafe(self._queue.put_nowait, text)
            self._loop.call_soon_threadsafe(self.end, LAST_ANSWERS_TIMEOUT)


class Output:
    """Where the messages to a client are written, in order; writing never blocks the event loop."""

    def __init__(self, sink: int, at_end: Callable[[], object]) -> None:
        """Begin to write.

        Args:
            sink: The descriptor to write.
            at_end: Called on the event loop when the client does not read any more.
        """
        self._sink = sink
        self._at_end = at_end
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._write, name="mcp-output", daemon=True)
        self._thread.start()

    async def write(self, text: str) -> None:
        """Have a text written.

        Args:
            text: The text.
        """
        self._queue.put(text.encode())

    async def flush(self) -> None:
        """Do nothing: no text is kept back."""

    def close(self) -> None:
        """Wait until everything is written, but not for a client that does not read."""
        self._queue.put(None)
        self._thread.join(LAST_WRITES_TIMEOUT)

    def _write(self) -> None:
        try:
            while (data := self._queue.get()) is not None:
                while data:
                    data = data[os.write(self._sink, data) :]
        except OSError:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._at_end)


def _lines(source: int) -> Iterator[bytes]:
    """Read whole lines, and what stands after the last of them."""
    parts: list[bytes] = []
    while True:
        try:
            chunk = os.read(source, _CHUNK)
        except OSError:
            chunk = b""
        if not chunk:
            break
        first, *rest = chunk.split(b"\n")
        parts.append(first)
        if rest:
            yield b"".join(parts)
            yield from rest[:-1]
            parts = [rest[-1]]
    if last := b"".join(parts):
        yield last
