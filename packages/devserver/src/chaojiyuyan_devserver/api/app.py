"""The ASGI application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI

from chaojiyuyan_devserver._version import __version__
from chaojiyuyan_devserver.kernel import Refusal

from . import caller, control, login, worker
from .answers import refused
from .guard import Guard

if TYPE_CHECKING:
    from chaojiyuyan_devserver.service import KernelService

PREFIX = "/api/v1"


def create_app(service: KernelService, guard_hosts: frozenset[str], control_token: str) -> FastAPI:
    """The application over a running service."""
    app = FastAPI(title="chaojiyuyan local kernel", version=__version__)
    app.state.service = service
    app.state.control_token = control_token
    app.add_exception_handler(Refusal, refused)
    app.include_router(worker.router, prefix=PREFIX)
    app.include_router(caller.router, prefix=PREFIX)
    app.include_router(login.router, prefix=PREFIX)
    app.include_router(login.pages)
    app.include_router(control.router)
    app.add_middleware(Guard, hosts=guard_hosts, clock=service.clock)
    return app
