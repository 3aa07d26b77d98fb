"""Carries out the faults that are set."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..faults import Fault, Faults

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

Endpoint = Callable[["Scope"], str | None]
Drop = Callable[["Scope"], None]

_JUNK = b'{"data": {"jobs": [{"job_id": 7}, \xff\xfe'
_HTML = b"<!doctype html><title>502 Bad Gateway</title><h1>502 Bad Gateway</h1><hr>nginx"


class Chaos:
    """Pure ASGI middleware: in the way of a request only while its endpoint has faults.

    Args:
        app: the application behind it.
        faults: the faults.
        endpoint: names the endpoint of a request, None for one that cannot fail.
        drop: cuts a request's connection, without an answer.
    """

    def __init__(self, app: ASGIApp, faults: Faults, endpoint: Endpoint, drop: Drop) -> None:
        self._app = app
        self._faults = faults
        self._endpoint = endpoint
        self._drop = drop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or let it fail."""
        name = self._endpoint(scope) if self._faults and scope["type"] == "http" else None
        struck = self._faults.struck(name) if name else []
        for fault in struck:
            if fault.effect == "delay":
                await asyncio.sleep(fault.amount)
        harm = next((fault for fault in struck if fault.effect != "delay"), None)
        if harm is None:
            await self._app(scope, receive, send)
        elif harm.effect == "drop-before":
            await self._cut(scope)
        elif harm.effect == "drop-after":
            await self._app(scope, receive, _swallow)
            await self._cut(scope)
        else:
            await _answer(send, harm)

    async def _cut(self, scope: Scope) -> None:
        self._drop(scope)
        await asyncio.sleep(0)  # the server learns of it before it looks for an answer


async def _swallow(_message: Message) -> None:
    """Send nothing."""


async def _answer(send: Send, fault: Fault) -> None:
    if fault.effect == "junk":
        status, kind, body = 200, b"application/json", _JUNK
    elif fault.effect == "html":
        status, kind, body = 502, b"text/html", _HTML
    else:
        status, kind = int(fault.amount), b"application/json"
        body = b'{"detail": {"error": "a fault on demand", "code": "injected_fault"}}'
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
