"""What every request passes: the Host check, the limit on bodies, and the Date of the kernel."""

from __future__ import annotations

import json
from email.utils import formatdate
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 8 * 1024 * 1024


class Guard:
    """Pure ASGI middleware.

    A page that made a name of its own resolve to this machine (DNS rebinding) sends that name in
    ``Host``, so names that are not ours are refused. ``Date`` is the kernel's time: a worker
    reckons its lease from it, also where a test has moved the clock.

    Args:
        app: the application behind it.
        hosts: the host names that are ours, without the port.
        clock: the kernel's clock.
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
        for name, value in scope["headers"]:
            if name == b"host":
                host = value
            elif name == b"content-length":
                length = value

        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = formatdate(self._clock(), usegmt=True).encode()
                message["headers"] = [*message.get("headers", ()), (b"date", date)]
            await send(message)

        if not self._is_ours(host.decode("latin-1")):
            await _refuse(dated, 421, "host_not_allowed", "this Host is not served here")
        elif length.isdigit() and int(length) > LARGEST_BODY:
            await _too_large(dated)
        else:
            await self._limited(scope, receive, dated)

    def _is_ours(self, host: str) -> bool:
        name = host_name(host)
        if name in self._hosts:
            return True
        try:
            ip_address(name)  # nobody else can point an address elsewhere, as one can a name
        except ValueError:
            return False
        return True

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > LARGEST_BODY:
                raise _BodyTooLargeError
            return message

        try:
            await self._app(scope, counted, send)
        except _BodyTooLargeError:
            await _too_large(send)


class _BodyTooLargeError(Exception):
    """More came than is taken."""


def host_name(host: str) -> str:
    """The name or address in a ``Host`` header, without the port and brackets, in lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


async def _too_large(send: Send) -> None:
    await _refuse(send, 413, "payload_too_large", f"a body may have {LARGEST_BODY} bytes")


async def _refuse(send: Send, status: int, code: str, error: str) -> None:
    body = json.dumps({"detail": {"error": error, "code": code}}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
