"""The platform's API as an ASGI application.

It routes and reads requests itself rather than through FastAPI, whose way from request to function
takes several times as long as everything else that a request costs here. What a client sees, down
to the list in a 422, is as FastAPI gives it.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from chaojiyuyan_devserver.kernel import Refusal

from . import caller, login, worker
from .chaos import Drop, strike
from .exchange import Answer, Exchange, InvalidRequest
from .operation import Operation, Routes

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from chaojiyuyan_devserver.service import KernelService

log = logging.getLogger(__name__)

OPERATIONS = [*caller.operations.all, *worker.operations.all, *login.operations.all]


class Api:
    """Serves the operations.

    Args:
        service: the kernel at work.
        prefix: the path that all operations hang under.
        drop: cuts a request's connection, for the faults that do so.
    """

    def __init__(self, service: KernelService, prefix: str, drop: Drop) -> None:
        self._service = service
        self._prefix = len(prefix)
        self._drop = drop
        self._routes = Routes(OPERATIONS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        methods, parameters = self._routes.find(scope["path"][self._prefix :])
        operation = methods.get(scope["method"])
        if operation is None:
            await _no_operation(methods).send(send)
            return
        exchange = Exchange(self._service, scope, receive, parameters)
        struck = self._service.faults.struck(operation.name)
        if struck:
            run = partial(_serve, operation, exchange)
            pause = self._service.waiters.pause
            await strike(struck, run, scope, send, self._drop, pause)
        else:
            await _serve(operation, exchange, send)


async def _serve(operation: Operation, exchange: Exchange, send: Send) -> None:
    try:
        answer = await operation.handler(exchange)
    except Refusal as refusal:
        answer = refused(refusal)
    except InvalidRequest as invalid:
        answer = Answer({"detail": invalid.errors}, 422, bare=True)
    # nobody is told anything that is not on disk
    await exchange.service.saved()
    await answer.send(send)


def refused(refusal: Refusal) -> Answer:
    """A refusal as the platform words it."""
    headers = {"www-authenticate": "Bearer"} if refusal.status == 401 else {}
    return Answer({"detail": refusal.detail()}, refusal.status, headers, bare=True)


def _no_operation(methods: dict[str, Operation]) -> Answer:
    if methods:
        allow = {"allow": ", ".join(sorted(methods))}
        return Answer({"detail": "Method Not Allowed"}, 405, allow, bare=True)
    return Answer({"detail": "Not Found"}, 404, bare=True)
