"""The ASGI application: the guard, and behind it the API, the control endpoints, the console."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from chaojiyuyan_devserver._service import KernelService
from chaojiyuyan_devserver._version import __version__
from chaojiyuyan_devserver.kernel import Refusal

from . import caller, control, login, worker
from .guard import Guard
from .openapi import complete_openapi

PREFIX = "/api/v1"
PARTS = (worker, caller, login)
"""The worker's part is first, or ``available`` in ``/kernel-jobs/available`` would be a job id."""
_DESCRIPTION = """The chaojiyuyan platform in one local process.

`x-assumed` on an operation names what the platform's documentation does not say and this server
assumes. `Prefer: wait` (RFC 7240) is an addition that a server may ignore."""


@dataclass(frozen=True)
class Access:
    """Who may use a running kernel.

    Attributes:
        hosts: The host names that requests may have in ``Host``.
        control_token: The token for the control endpoints.
        console_token: The token for the console, and for the control endpoints as well; None if
            every user of this machine may open the console.
        is_remote: Whether other machines can reach the kernel.
    """

    hosts: frozenset[str]
    control_token: str
    console_token: str | None = None
    is_remote: bool = False


def create_app(service: KernelService, access: Access, drop: Callable[[Scope], None]) -> ASGIApp:
    """Return the application for a running service.

    Args:
        service: The running kernel.
        access: Who may use it.
        drop: Closes a request's connection, for the ``drop-`` faults.
    """
    api = _make_api(service, drop)
    control_api = _make_part(service, access, control.router)
    # Loading the console takes an eighth of the start; most kernels in tests do not need it.
    get_site = cache(partial(_make_site, service, access, api))

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(PREFIX + "/"):
            scope["root_path"] = PREFIX
            await api(scope, receive, send)
        elif scope["path"].startswith("/_control/"):
            await control_api(scope, receive, send)
        else:
            await get_site()(scope, receive, send)

    return Guard(dispatch, access.hosts, service.clock)


def _make_api(service: KernelService, drop: Callable[[Scope], None]) -> FastAPI:
    api = FastAPI(
        title="chaojiyuyan local kernel",
        version=__version__,
        description=_DESCRIPTION,
        servers=[{"url": PREFIX}],
        generate_unique_id_function=lambda route: route.name,
        openapi_url=None,
    )
    api.state.service = service
    api.state.drop = drop
    for part in PARTS:
        api.include_router(part.router)
    api.add_exception_handler(405, _refuse_method)
    return api


async def _refuse_method(request: Request, _error: Exception) -> Response:
    # Starlette lists the methods of one route only, but a path may have several routes.
    path = request.url.path.removeprefix(PREFIX)
    routes = [route for part in PARTS for route in part.router.routes]
    methods = {
        method
        for route in routes
        if isinstance(route, APIRoute) and route.path_regex.match(path)
        for method in route.methods or ()
    }
    allow = {"allow": ", ".join(sorted(methods))}
    return JSONResponse({"detail": "Method Not Allowed"}, 405, allow)


def _make_site(service: KernelService, access: Access, api: FastAPI) -> FastAPI:
    from chaojiyuyan_devserver import _console
    from chaojiyuyan_devserver._console.entry import is_open, is_token

    site = _make_part(service, access, _console.router)
    site.add_exception_handler(Refusal, _refuse)
    site.add_exception_handler(404, _answer_unknown)

    @site.get("/openapi.json", include_in_schema=False)
    async def read_document(request: Request, token: str = "") -> Response:
        """Get the API's OpenAPI document; with --allow-remote only with the console's token."""
        if access.is_remote and not (is_open(request) or is_token(request, token)):
            text = "The document needs the console's token: /openapi.json?token=…"
            raise Refusal(401, "token_needed", text)
        return JSONResponse(complete_openapi(api.openapi(), service.kernel.catalog))

    return site


def _make_part(service: KernelService, access: Access, router: APIRouter) -> FastAPI:
    part = FastAPI(openapi_url=None)
    part.state.service = service
    part.state.access = access
    part.include_router(router)
    return part


async def _answer_unknown(request: Request, _error: Exception) -> Response:
    from chaojiyuyan_devserver._console import not_found_page

    # A program with a wrong address gets a plain 404; the console's page would ask for a token.
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse({"detail": "Not Found"}, 404)
    return not_found_page(request)


async def _refuse(_request: Request, error: Exception) -> Response:
    if not isinstance(error, Refusal):
        raise error
    return JSONResponse({"detail": error.detail()}, error.status)
