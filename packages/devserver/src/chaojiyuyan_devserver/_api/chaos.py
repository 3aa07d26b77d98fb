"""Apply faults to a request."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from chaojiyuyan_devserver._faults import Fault
from chaojiyuyan_devserver.kernel.records import Job

from .deps import get_service

Serve: TypeAlias = Callable[[Request], Awaitable[Response]]

RETRY_AFTER = 1
"""The seconds of ``Retry-After`` in an injected 429 or 503."""
_JUNK = b'{"data": {"jobs": [{"job_id": 7}, \xff\xfe'
_HTML = b"<!doctype html><title>502 Bad Gateway</title><h1>502 Bad Gateway</h1><hr>nginx"
_REFUSED = b'{"detail":{"error":"a fault on demand","code":"injected_fault"}}'


async def strike(faults: list[Fault], endpoint: str, request: Request, serve: Serve) -> Response:
    """Apply faults to a request and return the response.

    The response does not reach a client whose connection was closed by a fault.

    Args:
        faults: The faults to apply: all their delays, and the first fault of another kind.
        endpoint: The name of the request's operation.
        request: The request.
        serve: Called to serve the request normally.
    """
    service = get_service(request)
    harm = next((fault for fault in faults if fault.effect != "delay"), None)
    effect = "" if harm is None else harm.effect
    carried_out = [fault for fault in faults if fault.effect == "delay" or fault is harm]
    for fault in carried_out:
        if fault.effect == "delay":
            await service.waiters.pause(fault.amount)
    if effect == "expire-lease" and (held := _find_job(request)) is not None and held.lease:
        service.kernel.jobs.expire_lease(held)
    if harm is None or effect in ("expire-lease", "drop-after"):
        response = await serve(request)
    else:
        await request.body()  # closing a connection with unread bytes would send a reset
        response = _spoil(harm)
    job = _find_job(request)
    if job is not None:
        for fault in carried_out:
            service.kernel.note_strike(job, endpoint, fault.text)
    await service.saved()
    if effect.startswith("drop"):
        request.app.state.drop(request.scope)
        await asyncio.sleep(0)  # the server must see the closed connection before the response
    return response


def _find_job(request: Request) -> Job | None:
    # The create operation stores the id of the new job in the scope.
    job_id = request.path_params.get("job_id") or request.scope.get("made_job_id")
    return get_service(request).find_job(job_id) if job_id else None


def _spoil(fault: Fault) -> Response:
    if fault.effect == "drop-before":
        return Response()
    if fault.effect == "junk":
        return Response(_JUNK, 200, media_type="application/json")
    if fault.effect == "html":
        return Response(_HTML, 502, {"content-type": "text/html"})
    status = int(fault.amount)
    headers = {"retry-after": str(RETRY_AFTER)} if status in (429, 503) else None
    return Response(_REFUSED, status, headers, media_type="application/json")
