"""Look up the addresses of a host with a timeout, which the system's lookup does not have."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Sequence
from typing import Any

import httpcore

_Addresses = Sequence[tuple[int, int, int, str, Any]]


def look_up(host: str, port: int, timeout: float) -> _Addresses:
    """Return the addresses of a host like ``socket.getaddrinfo``.

    When the resolver does not respond, the system's lookup blocks for up to a minute and cannot be
    interrupted. Therefore a thread does the lookup and ends at the resolver's own timeout.
    Concurrent lookups of the same host share one thread.

    Args:
        host: A name, or a numeric address, which needs no thread.
        port: The port.
        timeout: Maximum seconds of the lookup.

    Raises:
        httpcore.ConnectTimeout: The lookup took too long.
        httpcore.ConnectError: The host does not exist.
    """
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        pass
    except (UnicodeError, OverflowError) as fault:  # an impossible name or port
        raise httpcore.ConnectError(str(fault)) from fault
    new = _Lookup(host, port)
    lookup = _running.setdefault(new.key, new)
    if lookup is new:
        new.start()
    return lookup.wait(timeout)


class _Lookup:
    """A running lookup."""

    def __init__(self, host: str, port: int) -> None:
        # With the process id, because a forked child does not have the threads of its parent.
        self.key = (os.getpid(), host, port)
        self._host = host
        self._port = port
        self._done = threading.Event()
        self._found: _Addresses = []
        self._fault: Exception | None = None

    def start(self) -> None:
        try:
            threading.Thread(target=self._run, name="chaojiyuyan-lookup", daemon=True).start()
        except RuntimeError:  # no thread can start, so look up without a timeout
            self._run()

    def wait(self, timeout: float) -> _Addresses:
        if not self._done.wait(timeout):
            raise httpcore.ConnectTimeout(f"The lookup of {self._host} took longer than allowed")
        if self._fault is not None:
            raise httpcore.ConnectError(str(self._fault)) from self._fault
        return self._found

    def _run(self) -> None:
        try:
            self._found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError, OverflowError) as fault:
            self._fault = fault
        finally:
            _running.pop(self.key, None)
            self._done.set()


_running: dict[tuple[int, str, int], _Lookup] = {}
