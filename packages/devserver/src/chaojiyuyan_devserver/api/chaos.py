"""Carries out faults on a request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import Message, Scope, Send

    from chaojiyuyan_devserver.faults import Fault

Drop: TypeAlias = "Callable[[Scope], None]"
Pause: TypeAlias = "Callable[[float], Awaitable[None]]"
Run: TypeAlias = "Callable[[Send], Awaitable[None]]"

_JUNK = b'{"data": {"jobs": [{"job_id": 7}, \xff\xfe'
_HTML = b"<!doctype html><title>502 Bad Gateway</title><h1>502 Bad Gateway</h1><hr>nginx"


async def strike(
    faults: list[Fault], run: Run, scope: Scope, send: Send, drop: Drop, pause: Pause
) -> None:
    """Let a request fail.

    Args:
        faults: those that strike it: all their delays, and the first of the others.
        run: serves the request, with the given way to send.
        scope: the request.
        send: sends the answer.
        drop: cuts the request's connection.
        pause: sleeps so many seconds, less if the server stops.
    """
    for fault in faults:
        if fault.effect == "delay":
            await pause(fault.amount)
    harm = next((fault for fault in faults if fault.effect != "delay"), None)
    if harm is None:
        await run(send)
    elif harm.effect.startswith("drop"):
        if harm.effect == "drop-after":
            await run(_swallow)
        drop(scope)
        await asyncio.sleep(0)  # the server learns of it before it misses the answer
    else:
        await _answer(send, harm)


async def _swallow(_message: Message) -> None:
    """Send nothing."""


async def _answer(send: Send, fault: Fault) -> None:
    if fault.effect == "junk":
        status, kind, body = 200, b"application/json", _JUNK
    elif fault.effect == "html":
        status, kind, body = 502, b"text/html", _HTML
    else:
        status, kind = int(fault.amount), b"application/json"
        body = b'{"detail":{"error":"a fault on demand","code":"injected_fault"}}'
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
