"""The whole ASGI application: the guard in front, behind it the API, and FastAPI for the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.responses import JSONResponse, Response

from chaojiyuyan_devserver._version import __version__
from chaojiyuyan_devserver.kernel import Refusal

from . import control
from .api import Api
from .guard import Guard
from .openapi import document

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from chaojiyuyan_devserver.service import KernelService

    from .chaos import Drop

PREFIX = "/api/v1"


def create_app(
    service: KernelService,
    *,
    hosts: frozenset[str],
    control_token: str,
    console_token: str | None,
    drop: Drop,
) -> ASGIApp:
    """The application over a running service.

    Args:
        service: the kernel at work.
        hosts: the host names under which it may be addressed.
        control_token: opens the control endpoints.
        console_token: what the console asks a browser for; None where only this machine can reach
            it.
        drop: cuts a request's connection, for the faults that do so.
    """
    api = Api(service, PREFIX, drop)
    site = _site(service, control_token, console_token)

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        to = api if scope["path"].startswith(PREFIX + "/") else site
        await to(scope, receive, send)

    return Guard(dispatch, hosts, service.clock)


def _site(service: KernelService, control_token: str, console_token: str | None) -> FastAPI:
    from chaojiyuyan_devserver import console

    site = FastAPI(
        title="chaojiyuyan local kernel",
        version=__version__,
        docs_url=None,  # its pages load scripts from a network
        redoc_url=None,
    )
    site.state.service = service
    site.state.control_token = control_token
    site.state.console_token = console_token
    site.openapi = lambda: document(PREFIX)  # type: ignore[method-assign]
    site.add_exception_handler(Refusal, _refused)
    site.add_exception_handler(404, _unknown)
    site.include_router(console.router)
    site.include_router(control.router)
    return site


async def _unknown(request: Request, _error: Exception) -> Response:
    from chaojiyuyan_devserver.console import not_found_page

    if request.url.path.startswith(("/_control", PREFIX)):
        return JSONResponse({"detail": {"error": "no such path", "code": "not_found"}}, 404)
    return not_found_page(request)


async def _refused(_request: Request, error: Exception) -> Response:
    if not isinstance(error, Refusal):
        raise error
    return JSONResponse({"detail": error.detail()}, error.status)
