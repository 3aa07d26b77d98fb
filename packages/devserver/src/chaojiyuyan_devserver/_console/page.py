"""Rendering of all pages: templates, layout, refusals, headers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import Response

from chaojiyuyan_devserver._api.deps import get_service
from chaojiyuyan_devserver._version import __version__
from chaojiyuyan_devserver.kernel import Refusal

from . import assets, text
from .entry import is_open, is_token, let_in
from .language import Language, choose_language

# Only this server's own files are loaded or run, whatever a payload contains.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self'; media-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

NAVIGATION = (
    ("/", "overview"),
    ("/jobs", "jobs"),
    ("/catalog", "catalog"),
    ("/workers", "workers"),
    ("/webhooks", "webhooks"),
    ("/keys", "keys"),
    ("/balances", "balances"),
    ("/simulate", "simulate"),
)
"""The sections: path and name. On a phone the first four are tabs; a fifth opens the rest."""

SECTIONS = {"": "overview", "activate": "keys", "deliveries": "webhooks"}
"""The section of pages whose path does not start with a section's path."""

templates = Environment(
    loader=PackageLoader(__package__),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
templates.filters.update(text.FILTERS)
templates.globals.update(navigation=NAVIGATION, version=__version__, assets=assets.DIGEST)


def language_of(request: Request) -> Language:
    """Return the language that the browser prefers."""
    return choose_language(request.headers.get("accept-language", ""))


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    live: Iterable[str] = (),
    every: int | None = None,
    address: str | None = None,
    **context: Any,
) -> Response:
    """Render a page.

    Args:
        request: The request.
        template: The file's name in ``templates/``.
        status: The HTTP status.
        live: The topics of ``live.py``; when one of them changes, the page's live part is updated.
        every: Also update it every so many seconds, for what changes without an event.
        address: The address to request for updates; the request's own by default.
        **context: The template's own values.
    """
    service = get_service(request)
    language = language_of(request)
    first = request.url.path.split("/")[1]
    body = templates.get_template(template).render(
        t=language,
        csrf_token=service.form_token,
        now=service.clock(),
        clock_offset=service.clock.offset,
        faults_on=bool(service.faults.texts),
        section=SECTIONS.get(first, first),
        this_url=address or request.url.path + _query(request),
        live_url="/live?" + urlencode([("on", topic) for topic in live]) if live else None,
        every=every,
        agents=service.kernel.agents.by_id,
        **context,
    )
    # a lone surrogate in a payload cannot be encoded; it is shown as a question mark
    return Response(
        body.encode("utf-8", "replace"),
        status,
        {"Cache-Control": "no-store", "Content-Language": language.code, "Vary": "Accept-Language"},
        media_type="text/html",
    )


class PageRoute(APIRoute):
    """A route that needs the console's token and renders refusals as pages.

    A page shows only what is committed; a form is answered when its changes are committed.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the route's handler, wrapped."""
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            service = get_service(request)
            try:
                if is_open(request) or self.path == "/enter":
                    await service.saved()
                    response = await handle(request)
                    await service.saved()
                else:
                    response = _way_in(request)
            except Refusal as refusal:
                # a refused bid may have status 200; a page answers it with a conflict
                status = refusal.status if refusal.status >= 400 else 409
                response = _error_page(request, status, refusal.code, refusal.error)
            except RequestValidationError:
                response = _error_page(request, 400, "invalid_form")
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            return response

        return handler


router = APIRouter(include_in_schema=False, route_class=PageRoute)
"""All pages of the console."""
router.include_router(assets.router)


@router.post("/enter")
async def enter(
    request: Request, token: Annotated[str, Form()], target: Annotated[str, Form()] = "/"
) -> Response:
    """Accept the token, or the whole link with it, and redirect to the requested page."""
    if is_token(request, token.strip().rpartition("token=")[2]):
        return let_in(request, target)
    return _ask_for_token(request, target, wrong=True)


def not_found_page(request: Request) -> Response:
    """Return the 404 page for an unknown address, or the page that asks for the token."""
    is_in = is_open(request)
    response = _error_page(request, 404, "no_such_page") if is_in else _way_in(request)
    response.headers.update(HEADERS)
    return response


def _ask_for_token(request: Request, target: str, *, wrong: bool = False) -> Response:
    return page(request, "enter.html", status=401, target=target, wrong=wrong)


def _way_in(request: Request) -> Response:
    if request.method != "GET":
        return _ask_for_token(request, "/")
    token = request.query_params.get("token", "")
    if token and is_token(request, token):
        # redirect without the token, since addresses stay in the browser's history
        url = request.url.remove_query_params("token")
        return let_in(request, f"{url.path}?{url.query}".removesuffix("?"))
    return _ask_for_token(request, request.url.path + _query(request))


def _query(request: Request) -> str:
    return f"?{request.url.query}" if request.url.query else ""


def _error_page(request: Request, status: int, code: str, error: str = "") -> Response:
    """Return the message for the code in the page's language, or the API's own message."""
    language = language_of(request)
    message = language(f"refusal.{code}") if f"refusal.{code}" in language.messages else error
    return page(request, "error.html", status=status, code=status, error=message)
