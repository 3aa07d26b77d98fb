"""The ASGI application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.routing import Match

from chaojiyuyan_devserver._version import __version__
from chaojiyuyan_devserver.kernel import Refusal

from . import caller, control, login, worker
from .answers import refused
from .chaos import Chaos
from .guard import Guard

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Scope

    from chaojiyuyan_devserver.service import KernelService

PREFIX = "/api/v1"


def create_app(
    service: KernelService,
    *,
    hosts: frozenset[str],
    control_token: str,
    drop: Callable[[Scope], None],
) -> FastAPI:
    """The application over a running service.

    Args:
        service: the kernel at work.
        hosts: the host names under which it may be addressed.
        control_token: opens the control endpoints.
        drop: cuts a request's connection, for the faults that do so.
    """
    app = FastAPI(title="chaojiyuyan local kernel", version=__version__)
    app.state.service = service
    app.state.control_token = control_token
    app.add_exception_handler(Refusal, refused)
    endpoints = [*worker.router.routes, *caller.router.routes, *login.router.routes]
    for router in (worker.router, caller.router, login.router):
        app.include_router(router, prefix=PREFIX)
    app.include_router(login.pages)
    app.include_router(control.router)

    def endpoint(scope: Scope) -> str | None:
        path = scope["path"].removeprefix(PREFIX)
        for route in endpoints:
            if route.matches({**scope, "path": path})[0] is Match.FULL:
                return route.name
        return None

    app.add_middleware(Chaos, faults=service.faults, endpoint=endpoint, drop=drop)
    app.add_middleware(Guard, hosts=hosts, clock=service.clock)
    return app
