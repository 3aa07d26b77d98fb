"""Functions for the sockets of both kinds of connection."""

from __future__ import annotations

import math
import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket


MAX_POLL_SECONDS = 2_000_000.0
"""Maximum seconds of one wait. ``poll`` cannot wait longer than 24 days."""


def is_readable(sock: socket.socket) -> bool:
    """Return whether a read would return at once, with data or because the peer has closed.

    Args:
        sock: The socket, or asyncio's wrapper of it.
    """
    return wait_until_ready(sock, 0)


def wait_until_ready(sock: socket.socket, seconds: float, *, to_write: bool = False) -> bool:
    """Return whether a read or write returns at once, as soon as it does. A closed socket is ready.

    Args:
        sock: The socket, or asyncio's wrapper of it.
        seconds: Maximum seconds to wait.
        to_write: Whether to wait for a write instead of a read.
    """
    if sock.fileno() < 0:
        return True
    seconds = min(seconds, MAX_POLL_SECONDS)
    if not hasattr(select, "poll"):
        readers, writers = ([], [sock]) if to_write else ([sock], [])
        return any(select.select(readers, writers, [], seconds))
    poll = select.poll()
    poll.register(sock, select.POLLOUT if to_write else select.POLLIN)
    return bool(poll.poll(math.ceil(seconds * 1000)))
