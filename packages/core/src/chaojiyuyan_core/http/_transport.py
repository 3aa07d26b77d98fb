"""The two transports, which send a call once and return the reply.

httpx is imported with the first request, not with this module.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, cast

from chaojiyuyan_core.errors import ResponseFormatError

from ._attempt import TransportBase
from ._stack import AsyncConnectionStack, ConnectionStack

if TYPE_CHECKING:
    import httpx

    from chaojiyuyan_core.api import Call, Fetch

    from ._async_connection import AsyncConnection
    from ._attempt import Attempt
    from ._reply import Reply
    from ._requests import RequestBuilder
    from ._shelf import Origin
    from ._sync_connection import Connection
    from ._timeouts import Deadline

DEFAULT_MAX_CONNECTIONS = 1000
"""Default maximum number of connections. Each wait for a job may use one."""

DEFAULT_MAX_RESPONSE_BYTES = 64 << 20
"""Default maximum size in bytes of a decoded response."""

_CANCEL_GRACE = 0.2  # seconds after the deadline until a request of a passed-in client is cancelled


class Transport(TransportBase["httpx.Client"]):
    """Sends calls on its own connections, or with a passed-in ``httpx.Client``.

    It is thread-safe. An attempt ends at its deadline, whatever the server does. With a passed-in
    client, it may end one phase of a request later.

    Attributes:
        builder: Builds the requests.
        http_client: The passed-in client, or None.

    Args:
        builder: Builds the requests.
        http_client: A client to use. Its base URL, headers and timeout win. It is never closed
            here.
        max_connections: Maximum number of own connections.
        max_response_bytes: Maximum size of a decoded response in bytes.

    Raises:
        TypeError: The passed-in client is an ``httpx.AsyncClient``.
    """

    def __init__(
        self,
        builder: RequestBuilder,
        http_client: httpx.Client | None = None,
        *,
        max_connections: int = DEFAULT_MAX_CONNECTIONS,
        max_response_bytes: int = DEFAULT_MAX_RESPONSE_BYTES,
    ) -> None:
        if http_client is not None:
            import httpx

            if isinstance(http_client, httpx.AsyncClient):
                raise TypeError("http_client is an httpx.AsyncClient: pass an httpx.Client")
        super().__init__(builder, http_client, max_response_bytes)
        self._stack = ConnectionStack(_connect, max_connections)
        self._deadlines: set[Deadline] = set()  # of the running attempts

    def send(self, call: Call[object] | Fetch, timeout: float | None = None) -> Reply:
        """Send a call once.

        Args:
            call: The request. The content of a fetch goes to its sink.
            timeout: Maximum seconds for the whole attempt, by default five minutes. The timeouts
                of the builder also apply to each phase.

        Returns:
            The reply: a response or a connection error.

        Raises:
            RuntimeError: The transport is closed.
        """
        faults = _fault_types()
        attempt = None
        try:
            attempt = self._start(call, timeout)
            self._deadlines.add(attempt.deadline)
            if self.http_client is None:
                return self._send_own(attempt)
            return self._send_by(self.http_client, attempt)
        except faults as fault:
            return self._fault(attempt, fault)
        finally:
            if attempt is not None:
                self._deadlines.discard(attempt.deadline)

    def abort(self) -> None:
        """End the running attempts from another thread. Each returns a connection error at once.

        A running lookup of a host name, or a phase of a request of a passed-in client, is
        completed first.
        """
        # The deadlines first, so that an attempt between two steps ends at its next step.
        for deadline in list(self._deadlines):
            deadline.pass_now()
        self._stack.wake_up()

    def close(self) -> None:
        """Close the own connections, unless another transport owns them."""
        if not self._shared:
            self._stack.close()

    def _send_own(self, attempt: Attempt) -> Reply:
        from ._raw import to_response

        deadline = attempt.deadline
        connection = self._stack.take(attempt.origin, attempt.pool_timeout(), deadline)
        try:
            connection.begin(deadline)
            raw = connection.send(attempt.request)
            response = to_response(raw)
            reply = self._reply(attempt, response, self._read(attempt, response))
            raw.close()
        except BaseException:
            self._stack.drop(connection)
            raise
        if connection.is_reusable():
            self._stack.give_back(connection)
        else:
            self._stack.drop(connection)
        return reply

    def _send_by(self, client: httpx.Client, attempt: Attempt) -> Reply:
        if attempt.fetch is None:
            response = client.send(attempt.request, stream=True)
        else:  # another host must not get the client's key, and redirects are followed elsewhere
            response = client.send(attempt.request, stream=True, auth=None, follow_redirects=False)
        try:
            return self._reply(attempt, response, self._read(attempt, response))
        finally:
            response.close()

    def _read(self, attempt: Attempt, response: httpx.Response) -> bytes:
        if response.is_stream_consumed:  # a hook of a passed-in client has read it
            return self._take_read(attempt, response)
        body = self._open_body(attempt, response)
        for chunk in cast("httpx.SyncByteStream", response.stream):
            attempt.check_deadline()
            body.feed(chunk)
        return body.finish()


class AsyncTransport(TransportBase["httpx.AsyncClient"]):
    """Sends calls on its own connections, or with a passed-in ``httpx.AsyncClient``.

    It runs on asyncio and on trio. An attempt ends at its deadline, whatever the server does.

    Attributes:
        builder: Builds the requests.
        http_client: The passed-in client, or None.

    Args:
        builder: Builds the requests.
        http_client: A client to use. Its base URL, headers and timeout win. It is never closed
            here.
        max_connections: Maximum number of own connections.
        max_response_bytes: Maximum size of a decoded response in bytes.

    Raises:
        TypeError: The passed-in client is an ``httpx.Client``.
    """

    def __init__(
        self,
        builder: RequestBuilder,
        http_client: httpx.AsyncClient | None = None,
        *,
        max_connections: int = DEFAULT_MAX_CONNECTIONS,
        max_response_bytes: int = DEFAULT_MAX_RESPONSE_BYTES,
    ) -> None:
        if http_client is not None:
            import httpx

            if isinstance(http_client, httpx.Client):
                raise TypeError("http_client is an httpx.Client: pass an httpx.AsyncClient")
        super().__init__(builder, http_client, max_response_bytes)
        self._stack = AsyncConnectionStack(_connect_async, max_connections)

    async def send(self, call: Call[object] | Fetch, timeout: float | None = None) -> Reply:
        """Send a call once; see :meth:`Transport.send`.

        Args:
            call: The request. The content of a fetch goes to its sink.
            timeout: Maximum seconds for the whole attempt.

        Returns:
            The reply: a response or a connection error.

        Raises:
            RuntimeError: The transport is closed.
        """
        faults = _fault_types()
        attempt = None
        try:
            attempt = self._start(call, timeout)
            if self.http_client is None:
                return await self._send_own(attempt)
            return await self._send_by(self.http_client, attempt)
        except faults as fault:
            return self._fault(attempt, fault)

    async def close(self) -> None:
        """Close the own connections, unless another transport owns them."""
        if not self._shared:
            await self._stack.close()

    async def _send_own(self, attempt: Attempt) -> Reply:
        from ._raw import to_response

        connection = await self._stack.take(attempt.origin, attempt.pool_timeout())
        try:
            connection.begin(attempt.deadline)
            raw = await connection.send(attempt.request)
            response = to_response(raw)
            reply = self._reply(attempt, response, await self._read(attempt, response))
            await raw.aclose()
        except BaseException:
            await self._stack.drop(connection)
            raise
        if connection.is_reusable():
            await self._stack.give_back(connection)
        else:
            await self._stack.drop(connection)
        return reply

    async def _send_by(self, client: httpx.AsyncClient, attempt: Attempt) -> Reply:
        import anyio
        import httpx

        # Cancelled only some time after the deadline, at which each phase ends by itself. A
        # cancellation can leave a connection stuck in the client's pool (encode/httpcore #1103).
        left = attempt.deadline.left(None, httpx.ReadTimeout) + _CANCEL_GRACE
        with anyio.move_on_after(left):
            if attempt.fetch is None:
                response = await client.send(attempt.request, stream=True)
            else:
                response = await client.send(
                    attempt.request, stream=True, auth=None, follow_redirects=False
                )
            try:
                return self._reply(attempt, response, await self._read(attempt, response))
            finally:
                await response.aclose()
        raise httpx.ReadTimeout("The total time of the attempt is over")

    async def _read(self, attempt: Attempt, response: httpx.Response) -> bytes:
        if response.is_stream_consumed:  # a hook of a passed-in client has read it
            return self._take_read(attempt, response)
        body = self._open_body(attempt, response)
        async for chunk in cast("httpx.AsyncByteStream", response.stream):
            attempt.check_deadline()
            body.feed(chunk)
        return body.finish()


def _connect(origin: Origin) -> Connection:
    from ._proxies import find_proxy
    from ._sync_connection import Connection

    return Connection(origin, find_proxy(origin[0].decode(), origin[1].decode()))


def _connect_async(origin: Origin) -> AsyncConnection:
    from ._async_connection import AsyncConnection
    from ._proxies import find_proxy

    return AsyncConnection(origin, find_proxy(origin[0].decode(), origin[1].decode()))


@cache
def _fault_types() -> tuple[type[Exception], ...]:
    """Return the exceptions that become a reply. InvalidURL is not an HTTPError."""
    import httpx

    from ._raw import FAULTS

    return httpx.HTTPError, httpx.InvalidURL, ResponseFormatError, *FAULTS
