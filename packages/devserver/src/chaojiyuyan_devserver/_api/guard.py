"""What every request passes: whose it is, the limit on bodies, and the Date of the kernel."""

from __future__ import annotations

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
    """Pure ASGI middleware.

    A page that made a name of its own resolve to this machine (DNS rebinding) sends that name in
    ``Host``, so names that are not ours are refused. A page of another site can send requests
    without reading the answers, so those that change something are refused by ``Sec-Fetch-Site``,
    which browsers set and pages cannot. ``Date`` is the kernel's time: a worker computes its
    lease from it, also where the clock was moved.

    Args:
        app: The application behind it.
        hosts: The host names that are ours, without the port.
        clock: The kernel's clock.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str], clock: Callable[[], float]) -> None:
        self._app = app
        self._hosts = hosts
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
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
            await _refuse(dated, 421, "host_not_allowed", "This Host is not served here.")
        elif site not in _OWN_SITES and scope["method"] not in _SAFE_METHODS:
            await _refuse(dated, 403, "cross_site_request", "Pages of other sites may not do this.")
        elif length.isdigit() and int(length) > limit:
            await _refuse(dated, 413, "payload_too_large", f"A body may have {limit} bytes.")
        else:
            await self._limited(scope, receive, dated, limit)

    def _is_ours(self, host: str) -> bool:
        name = host_name(host)
        if name in self._hosts:
            return True
        try:
            ip_address(name)  # nobody else can point an address elsewhere, as one can a name
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
            # FastAPI makes an answer of its own of the error.
            if received <= limit:
                await send(message)

        with suppress(_BodyTooLargeError):
            await self._app(scope, counted, replaced)
        if received > limit:
            await _refuse(send, 413, "payload_too_large", f"A body may have {limit} bytes.")


class _BodyTooLargeError(Exception):
    """More came than is taken."""


def host_name(host: str) -> str:
    """Return the name or address in a ``Host`` header, without port and brackets, in lower case."""
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
