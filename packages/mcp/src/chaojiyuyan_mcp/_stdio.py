"""Read and write the protocol's two pipes on daemon threads.

A blocked read of standard input cannot be interrupted. In a thread pool it would keep the process
alive, so these threads are daemons, and they hold no lock that the shutdown waits for.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LAST_ANSWERS_TIMEOUT = 0.2
"""Seconds after the end of the input to answer the last requests, for example from a file."""

LAST_WRITES_TIMEOUT = 0.5
"""Maximum seconds for a client to read the last answers."""

_CHUNK = 1 << 16


def claim_pipes() -> tuple[int, int]:
    """Reserve standard input and output for the protocol.

    After this call, descriptor 0 is empty and descriptor 1 is standard error, for this process and
    its children. The output of a library can therefore not get between the messages.

    Returns:
        The private file descriptors of the input and the output.

    Raises:
        OSError: Standard input or output is closed.
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
    """An asynchronous iterator over the lines that a client sends."""

    def __init__(self, source: int, at_end: Callable[[], object]) -> None:
        """Start to read.

        Args:
            source: The file descriptor to read.
            at_end: Called on the event loop when the input has ended.
        """
        self._source = source
        self._at_end = at_end
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, name="mcp-input", daemon=True).start()

    def __aiter__(self) -> Lines:
        """Return this object, which can be iterated once."""
        return self

    async def __anext__(self) -> str:
        """Return the next line."""
        line = await self._queue.get()
        if line is None:
            raise StopAsyncIteration
        return line

    def end(self, grace: float = 0.0) -> None:
        """End the iteration after the lines that were read so far.

        Args:
            grace: Seconds to wait before the end, for the last answers.
        """
        self._at_end()
        self._loop.call_later(grace, self._queue.put_nowait, None)

    def _read(self) -> None:
        with contextlib.suppress(RuntimeError):  # the event loop is closed
            for line in _lines(self._source):
                text = replace_lone_surrogates(line.decode(errors="replace"))
                self._loop.call_soon_threadsafe(self._queue.put_nowait, text)
            self._loop.call_soon_threadsafe(self.end, LAST_ANSWERS_TIMEOUT)


class Output:
    """Writes the messages to a client in order, without blocking the event loop."""

    def __init__(self, sink: int, at_end: Callable[[], object]) -> None:
        """Start to write.

        Args:
            sink: The file descriptor to write to.
            at_end: Called on the event loop when the client has closed its end.
        """
        self._sink = sink
        self._at_end = at_end
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._write, name="mcp-output", daemon=True)
        self._thread.start()

    async def write(self, text: str) -> None:
        """Queue a text, which the thread writes.

        Args:
            text: The text.
        """
        self._queue.put(text.encode())

    async def flush(self) -> None:
        """Do nothing, because no text is buffered."""

    def close(self) -> None:
        """Wait until everything is written, but at most for a fixed time."""
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


_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)"
)


def replace_lone_surrogates(line: str) -> str:
    """Replace escapes of JSON that name half a character by U+FFFD (RFC 8259, section 8.2).

    JavaScript writes them, but the reader of the messages refuses the whole line, and a refused
    line gets no response.

    Args:
        line: A line of JSON.
    """
    if "\\ud" not in line and "\\uD" not in line:
        return line
    return _ESCAPE.sub(lambda found: r"\ufffd" if found["lone"] else found[0], line)


def _lines(source: int) -> Iterator[bytes]:
    """Yield complete lines, and then the rest without a newline."""
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
