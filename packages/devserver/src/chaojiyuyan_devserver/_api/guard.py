"""Checks of every request: its Host, its origin and the size of its body. Adds ``Date``."""

import json
from collections.abc import Callable
from contextlib import suppress
from email.utils import formatdate
from ipaddress import ip_address

from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 8 * 1024 * 1024
MAX_SNAPSHOT_BYTES = 4 * 1024**3
_SNAPSHOT = "/_control/snapshot"
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_OWN_SITES = (b"same-origin", b"none")


class Guard:
    """ASGI middleware in front of the application.

    A web page whose own host name resolves to this machine (DNS rebinding) sends that name in
    ``Host``, so unknown names are refused. A page of another site can send requests although it
    cannot read the responses, so its requests that change something are refused by
    ``Sec-Fetch-Site``, which browsers set and pages cannot. ``Date`` is the kernel's time,
    because a worker computes the end of its lease from it, also after the clock was moved.

    Args:
        app: The application behind the guard.
        hosts: The host names of this kernel, without the port.
        clock: The kernel's clock.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str], clock: Callable[[], float]) -> None:
        self._app = app
        self._hosts = hosts
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            return
        host = length = b""
        site = b"none"
        for name, value in scope["headers"]:
            if name == b"host":
                host = value
            elif name == b"content-length":
                length = value
            elif name == b"sec-fetch-site":
                site = value

        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = formatdate(self._clock(), usegmt=True).encode()
                message["headers"] = [*message.get("headers", ()), (b"date", date)]
            await send(message)

        limit = MAX_SNAPSHOT_BYTES if scope["path"] == _SNAPSHOT else MAX_BODY_BYTES
        if not self._is_ours(host.decode("latin-1")):
            await _refuse(dated, 421, "host_not_allowed", "This server does not serve this Host.")
        elif site not in _OWN_SITES and scope["method"] not in _SAFE_METHODS:
            await _refuse(
                dated, 403, "cross_site_request", "A page of another site may not do this."
            )
        elif length.isdigit() and int(length) > limit:
            await _refuse(dated, 413, "payload_too_large", f"The body exceeds {limit} bytes.")
        else:
            await self._limited(scope, receive, dated, limit)

    def _is_ours(self, host: str) -> bool:
        name = host_name(host)
        if name in self._hosts:
            return True
        try:
            # An IP address, unlike a name, cannot be made to resolve to this machine.
            ip_address(name)
        except ValueError:
            return False
        return True

    async def _limited(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise _BodyTooLargeError
            return message

        async def replaced(message: Message) -> None:
            # FastAPI would turn the exception into a response of its own.
            if received <= limit:
                await send(message)

        with suppress(_BodyTooLargeError):
            await self._app(scope, counted, replaced)
        if received > limit:
            await _refuse(send, 413, "payload_too_large", f"The body exceeds {limit} bytes.")


class _BodyTooLargeError(Exception):
    """The body is larger than the limit."""


def host_name(host: str) -> str:
    """Return the host of a ``Host`` header in lower case, without the port and the brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


async def _refuse(send: Send, status: int, code: str, error: str) -> None:
    body = json.dumps({"detail": {"error": error, "code": code}}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
