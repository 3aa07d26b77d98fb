"""One connection for an event loop. Each of its steps ends at the deadline of the attempt.

The module is imported with the first request, because it needs httpx. It uses anyio, so it works on
asyncio and on trio.
"""

# ruff: noqa: ASYNC109, ARG002  (httpcore defines the parameters of its interfaces)

from __future__ import annotations

import contextlib
import ssl
from typing import TYPE_CHECKING, Any

import anyio
import httpcore
from anyio.abc import SocketAttribute
from anyio.streams.tls import TLSAttribute, TLSStream

from ._proxies import make_proxy
from ._raw import to_raw_request
from ._requests import MAX_UNSENT_BYTES
from ._shelf import has_leftovers
from ._sockets import is_readable
from ._timeouts import Deadline
from ._tls import shared_ssl_context

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    import httpx
    from anyio.abc import ByteStream

    from ._shelf import Origin

# asyncio passes up to so many bytes on at once. With less, anyio keeps the rest, and the check for
# extra data before the next request does not see it.
_MIN_READ_BYTES = 1 << 18

# OSError, because anyio raises an invalid TLS record as ssl.SSLError.
_BROKEN = (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError)


class AsyncConnection:
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
        # No pool, for the reason in the sync connection. The async pool also makes a lock for each
        # request, which searches the disk for the package "sniffio" each time (encode/httpcore
        # #1103), and a cancelled request can leave a connection stuck in it.
        server = httpcore.Origin(*origin)
        tls = shared_ssl_context() if origin[0] == b"https" else None
        if proxy is None:
            self._connection: Any = httpcore.AsyncHTTPConnection(
                server, ssl_context=tls, network_backend=self._backend
            )
        else:
            pool = make_proxy(
                proxy,
                httpcore.AsyncHTTPProxy,
                httpcore.AsyncSOCKSProxy,
                ssl_context=tls,
                network_backend=self._backend,
            )
            self._connection = pool.create_connection(server)

    def begin(self, deadline: Deadline) -> None:
        """Start an exchange on the connection.

        Args:
            deadline: The deadline of the exchange. An abort moves it.
        """
        self._backend.deadline = deadline

    def send(self, request: httpx.Request) -> Awaitable[httpcore.Response]:
        """Send a request, and return the response with an unread body.

        Args:
            request: The request.
        """
        response: Awaitable[httpcore.Response] = self._connection.handle_async_request(
            to_raw_request(request)
        )
        return response

    def is_reusable(self) -> bool:
        """Return whether another exchange may follow on the connection."""
        return bool(self._connection.is_idle()) and not has_leftovers(self._connection)

    def is_stale(self) -> bool:
        """Return whether the server has closed the connection or sent unrequested data."""
        return bool(self._connection.has_expired())

    async def aclose(self) -> None:
        """Close the connection in any state, even when the task is cancelled."""
        with anyio.CancelScope(shield=True):
            with contextlib.suppress(Exception):
                await self._connection.aclose()
            await self._backend.aclose()


class _Backend(httpcore.AsyncNetworkBackend):
    """Opens the stream of the connection with anyio.

    httpcore's own backend enters four context managers for each read and write. With a thousand
    waiting requests, their objects make garbage collection slow.
    """

    def __init__(self) -> None:
        self.deadline = Deadline()
        self._opened: list[ByteStream] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        left = self.deadline.left(timeout, httpcore.ConnectTimeout)
        try:
            with anyio.move_on_after(left):
                return self.own(await anyio.connect_tcp(host, port))
        except (*_BROKEN, UnicodeError, OverflowError) as fault:
            raise httpcore.ConnectError(_reason(fault)) from fault
        raise httpcore.ConnectTimeout("timed out")

    def own(self, stream: ByteStream) -> httpcore.AsyncNetworkStream:
        """Remember a stream, which is closed with the connection."""
        self._opened.append(stream)
        return _Stream(self, stream)

    async def aclose(self) -> None:
        """Close all streams, including those that httpcore lost when it was cancelled."""
        for stream in reversed(self._opened):
            with contextlib.suppress(Exception):
                await stream.aclose()
        self._opened = []


class _Stream(httpcore.AsyncNetworkStream):
    """A stream whose reads and writes end at the deadline. It buffers like the sync one."""

    def __init__(self, backend: _Backend, stream: ByteStream) -> None:
        self._backend = backend
        self._stream = stream
        self._unsent = b""
        self._write_timeout: float | None = None
        self._is_broken = False

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._unsent:
            buffer, self._unsent = self._unsent, b""
            try:
                await self._send(buffer)
            except httpcore.WriteError:
                self._is_broken = True  # a server may respond before it has read the whole request
        left = self._backend.deadline.left(timeout, httpcore.ReadTimeout)
        try:
            with anyio.move_on_after(left):
                return await self._stream.receive(max(max_bytes, _MIN_READ_BYTES))
        except anyio.EndOfStream:
            return b""
        except _BROKEN as fault:
            raise httpcore.ReadError(_reason(fault)) from fault
        raise httpcore.ReadTimeout("timed out")

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._write_timeout = timeout
        if self._unsent:
            buffer = self._unsent + buffer
        if len(buffer) <= MAX_UNSENT_BYTES:
            self._unsent = buffer
        else:
            self._unsent = b""
            await self._send(buffer)

    async def _send(self, buffer: bytes) -> None:
        left = self._backend.deadline.left(self._write_timeout, httpcore.WriteTimeout)
        try:
            with anyio.move_on_after(left):
                return await self._stream.send(buffer)
        except _BROKEN as fault:
            raise httpcore.WriteError(_reason(fault)) from fault
        raise httpcore.WriteTimeout("timed out")

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        left = self._backend.deadline.left(timeout, httpcore.ConnectTimeout)
        try:
            with anyio.move_on_after(left):
                wrapped = await TLSStream.wrap(
                    self._stream,
                    ssl_context=ssl_context,
                    hostname=server_hostname,
                    standard_compatible=False,
                    server_side=False,
                )
                return self._backend.own(wrapped)
        except (*_BROKEN, anyio.EndOfStream) as fault:
            raise httpcore.ConnectError(_reason(fault)) from fault
        raise httpcore.ConnectTimeout("timed out")

    def get_extra_info(self, info: str) -> Any:
        tls = self._stream.extra(TLSAttribute.ssl_object, None)  # noqa: S610  (no Django here)
        if info == "ssl_object":
            return tls
        sock = self._stream.extra(SocketAttribute.raw_socket, None)  # noqa: S610
        if info == "socket":
            return sock
        if info == "is_readable":
            return self._is_broken or sock is None or is_readable(sock) or _has_record(tls)
        return None


def _has_record(tls: ssl.SSLObject | None) -> bool:
    """Return whether TLS holds data that was received with earlier data, or is broken.

    It takes the data, so the connection cannot be used any more.
    """
    if tls is None:
        return False
    try:
        tls.read(1)
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLError:
        pass
    return True


def _reason(fault: Exception) -> str:
    """Return the text of a fault. Those of anyio have none, but perhaps the cause has one."""
    return str(fault) or str(fault.__cause__ or "") or "The server closed the connection"
