"""Functions for the sockets of both kinds of connection."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket


def is_readable(sock: socket.socket) -> bool:
    """Return whether a read would return at once, with data or because the peer has closed.

    Args:
        sock: The socket, or asyncio's wrapper of it.
    """
    if sock.fileno() < 0:
        return True
    if not hasattr(select, "poll"):
        return bool(select.select([sock], [], [], 0)[0])
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
