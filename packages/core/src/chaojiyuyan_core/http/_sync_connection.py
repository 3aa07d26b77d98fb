"""One connection for a thread. Each of its steps ends at the deadline of the attempt.

The module is imported with the first request, because it needs httpx.
"""

# ruff: noqa: ARG002  (httpcore defines the parameters of its interfaces)

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any

import httpcore

from ._lookup import look_up
from ._proxies import make_proxy
from ._raw import to_raw_request
from ._requests import MAX_UNSENT_BYTES
from ._shelf import has_leftovers
from ._sockets import is_readable, wait_until_ready
from ._timeouts import Deadline
from ._tls import shared_ssl_context

if TYPE_CHECKING:
    from collections.abc import Iterable

    import httpx

    from ._shelf import Origin

_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
# A read of less could leave the rest of a record in the TLS layer, where no wait sees it.
_MAX_TLS_RECORD_BYTES = 1 << 14

_UNREACHABLE = (OSError, UnicodeError, OverflowError)  # the last two: an impossible host or port


class Connection:
    """One connection to one origin, direct or through a proxy.

    Attributes:
        origin: The origin of the server.

    Args:
        origin: The origin of the server.
        proxy: The URL of a proxy, or None.
    """

    def __init__(self, origin: Origin, proxy: str | None) -> None:
        self.origin = origin
        self._backend = _Backend()
        # Not httpx's transport, because its pool takes more time than the rest of a request
        # (encode/httpcore #1035).
        server = httpcore.Origin(*origin)
        tls = shared_ssl_context() if origin[0] == b"https" else None
        if proxy is None:
            self._connection: Any = httpcore.HTTPConnection(
                server, ssl_context=tls, network_backend=self._backend
            )
        else:
            pool = make_proxy(
                proxy,
                httpcore.HTTPProxy,
                httpcore.SOCKSProxy,
                ssl_context=tls,
                # An https proxy needs TLS inside TLS, which only httpcore's own backend supports.
                # It limits the time of each step, but not of the whole attempt.
                network_backend=None if proxy.startswith("https:") else self._backend,
            )
            self._connection = pool.create_connection(server)

    def begin(self, deadline: Deadline) -> None:
        """Start an exchange on the connection.

        Args:
            deadline: The deadline of the exchange. An abort moves it.
        """
        self._backend.deadline = deadline

    def send(self, request: httpx.Request) -> httpcore.Response:
        """Send a request, and return the response with an unread body.

        Args:
            request: The request.
        """
        response: httpcore.Response = self._connection.handle_request(to_raw_request(request))
        return response

    def is_reusable(self) -> bool:
        """Return whether another exchange may follow on the connection."""
        return bool(self._connection.is_idle()) and not has_leftovers(self._connection)

    def is_stale(self) -> bool:
        """Return whether the server has closed the connection or sent unrequested data."""
        return bool(self._connection.has_expired())

    def close(self) -> None:
        """Close the connection in any state."""
        with contextlib.suppress(Exception):
            self._connection.close()
        self._backend.close()

    def shut_down(self) -> None:
        """Wake up the thread that is blocked in the exchange, after its deadline was moved."""
        self._backend.shut_down()

    def abandon(self) -> None:
        """Close this process's end of a connection that belongs to the parent process."""
        self._backend.close()


class _Backend(httpcore.NetworkBackend):
    """Makes the socket of the connection. httpcore's own backend has no deadline for all steps."""

    def __init__(self) -> None:
        self.deadline = Deadline()
        self._sockets: list[socket.socket] = []

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        fault_type = httpcore.ConnectTimeout
        ends = Deadline(time.monotonic() + self.deadline.left(timeout, fault_type))
        found = look_up(host, port, ends.left(None, fault_type))
        last: Exception | None = None
        for index, (family, kind, protocol, _, address) in enumerate(found):
            sock = socket.socket(family, kind, protocol)
            self._sockets = [sock]  # set before it connects, so that an abort can close it
            try:
                left = self.deadline.left(ends.left(None, fault_type), fault_type)
                # Each address gets a share of the time, so that one dead address does not use it
                # all.
                sock.settimeout(left / (len(found) - index))
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except BaseException as fault:
                sock.close()
                if not isinstance(fault, _UNREACHABLE):
                    raise
                last = fault
            else:
                return _Stream(self, sock)
        kind_of_fault = (
            httpcore.ConnectTimeout if isinstance(last, TimeoutError) else httpcore.ConnectError
        )
        raise kind_of_fault(str(last)) from last

    def own(self, sock: socket.socket) -> None:
        """Remember a socket, which is closed with the connection."""
        self._sockets.append(sock)

    def shut_down(self) -> None:
        """Wake up the thread that connects, reads or writes."""
        for sock in list(self._sockets):
            with contextlib.suppress(OSError):
                # The method of SSLSocket first switches to plain text, so that a sending thread
                # could send the key unencrypted.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close all sockets, including those that httpcore lost after an error."""
        for sock in self._sockets:
            sock.close()
        self._sockets = []


class _Stream(httpcore.NetworkStream):
    """A socket whose reads and writes end at the deadline.

    httpcore writes the head and the body of a request separately. They are sent together before the
    first read. The socket does not block: a socket with a timeout needs two more system calls for
    each read and write. Each call releases the interpreter lock, and with many threads it is
    expensive to get the lock back.
    """

    def __init__(self, backend: _Backend, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._backend = backend
        self._socket = sock
        self._unsent = b""
        self._write_timeout: float | None = None
        self._is_broken = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._unsent:
            try:
                self._send(self._unsent)
            except httpcore.WriteError:
                self._is_broken = True  # a server may respond before it has read the whole request
            self._unsent = b""
        ends = self._ends(timeout, httpcore.ReadTimeout)
        to_write = False
        try:
            while True:
                self._wait(ends, to_write=to_write)
                try:
                    return self._socket.recv(max(max_bytes, _MAX_TLS_RECORD_BYTES))
                except _WOULD_BLOCK as fault:  # only a part of a TLS record
                    to_write = isinstance(fault, ssl.SSLWantWriteError)
        except TimeoutError as fault:
            raise httpcore.ReadTimeout(str(fault)) from fault
        except OSError as fault:
            raise httpcore.ReadError(str(fault)) from fault

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._write_timeout = timeout
        if self._unsent:
            buffer = self._unsent + buffer
        if len(buffer) <= MAX_UNSENT_BYTES:
            self._unsent = buffer
        else:
            self._unsent = b""
            self._send(buffer)

    def _send(self, buffer: bytes) -> None:
        rest = memoryview(buffer)
        try:
            while rest:
                ends = self._ends(self._write_timeout, httpcore.WriteTimeout)
                try:
                    rest = rest[self._socket.send(rest) :]
                except _WOULD_BLOCK as fault:
                    self._wait(ends, to_write=not isinstance(fault, ssl.SSLWantReadError))
        except TimeoutError as fault:
            raise httpcore.WriteTimeout(str(fault)) from fault
        except OSError as fault:
            raise httpcore.WriteError(str(fault)) from fault

    def _ends(self, timeout: float | None, fault_type: type[Exception]) -> float:
        """Return the end of a step, in seconds of the monotonic clock."""
        return time.monotonic() + self._backend.deadline.left(timeout, fault_type)

    def _wait(self, ends: float, *, to_write: bool = False) -> None:
        """Wait until the socket is ready, and raise ``TimeoutError`` if it is not in time."""
        left = max(ends - time.monotonic(), 0)
        if not wait_until_ready(self._socket, left, to_write=to_write):
            raise TimeoutError("timed out")

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        try:
            self._socket.settimeout(self._backend.deadline.left(timeout, httpcore.ConnectTimeout))
            sock = ssl_context.wrap_socket(
                self._socket, server_hostname=server_hostname, do_handshake_on_connect=False
            )
            self._backend.own(sock)
            sock.do_handshake()
        except BaseException as fault:
            self._backend.close()
            if isinstance(fault, TimeoutError):
                raise httpcore.ConnectTimeout(str(fault)) from fault
            if isinstance(fault, _UNREACHABLE):
                raise httpcore.ConnectError(str(fault)) from fault
            raise
        return _Stream(self._backend, sock)

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object":
            return self._socket if isinstance(self._socket, ssl.SSLSocket) else None
        if info == "socket":
            return self._socket
        if info == "is_readable":
            return self._is_broken or is_readable(self._socket)
        return None
