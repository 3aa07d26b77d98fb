"""The lookup of a host's addresses with a deadline, which the system's own lookup lacks."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Sequence
from typing import Any

import httpcore

_Addresses = Sequence[tuple[int, int, int, str, Any]]


def look_up(host: str, port: int, timeout: float) -> _Addresses:
    """Return the addresses of a host, as ``socket.getaddrinfo`` does.

    A resolver that does not answer blocks the system's lookup for up to a minute, and nothing can
    end it. So a thread does it, which ends with the resolver's own timeout. All that ask for a host
    at the same time share one thread.

    Args:
        host: A name, or a numeric address, which needs no thread.
        port: The port.
        timeout: Seconds that the lookup may take.

    Raises:
        httpcore.ConnectTimeout: The lookup took longer.
        httpcore.ConnectError: There is no such host.
    """
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        pass
    except (UnicodeError, OverflowError) as fault:  # no such name or port can exist
        raise httpcore.ConnectError(str(fault)) from fault
    new = _Lookup(host, port)
    lookup = _running.setdefault(new.key, new)
    if lookup is new:
        new.start()
    return lookup.wait(timeout)


class _Lookup:
    """A lookup under way."""

    def __init__(self, host: str, port: int) -> None:
        # A child process does not have the threads of its parent.
        self.key = (os.getpid(), host, port)
        self._host = host
        self._port = port
        self._done = threading.Event()
        self._found: _Addresses = []
        self._fault: Exception | None = None

    def start(self) -> None:
        try:
            threading.Thread(target=self._run, name="chaojiyuyan-lookup", daemon=True).start()
        except RuntimeError:  # No thread is left: a lookup without a deadline beats none.
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
