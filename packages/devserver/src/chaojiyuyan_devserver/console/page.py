"""How every page is made: templates, the frame around them, refusals, headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import Response

from chaojiyuyan_devserver._version import __version__
from chaojiyuyan_devserver.api.deps import service_of
from chaojiyuyan_devserver.kernel import Refusal

from . import assets, text
from .csrf import form_token
from .entry import is_open, is_token, let_in

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from starlette.requests import Request

# Nothing but what this server itself sends is loaded or run, whatever a payload holds; data: is for
# artifacts that carry their image with them.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

NAVIGATION = (
    ("/", "Overview"),
    ("/jobs", "Jobs"),
    ("/catalog", "Catalog"),
    ("/workers", "Workers"),
    ("/keys", "Agent keys"),
    ("/webhooks", "Webhooks"),
    ("/balances", "Balances"),
)

_templates = Environment(
    loader=PackageLoader(__package__),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters.update(text.FILTERS)
_templates.globals.update(navigation=NAVIGATION, version=__version__, assets=assets.DIGEST)


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    live: Iterable[str] = (),
    every: int | None = None,
    **context: Any,
) -> Response:
    """Render a page.

    Args:
        request: what is answered.
        template: the file's name under ``templates/``.
        status: the HTTP status.
        live: the topics of ``live.py``; when one of them changes, the page's live part is renewed.
        every: also so many seconds apart, for what changes without being recorded.
        **context: the template's own values.
    """
    service = service_of(request)
    here = request.url.path
    body = _templates.get_template(template).render(
        csrf_token=form_token(service),
        now=service.clock(),
        here=here,
        section=next((path for path, _ in NAVIGATION[1:] if here.startswith(path)), here),
        this_url=here + _query(request),
        live_url="/live?" + urlencode([("on", topic) for topic in live]) if live else None,
        every=every,
        agents=service.kernel.agents.by_id,
        **context,
    )
    # a lone surrogate in a payload cannot be encoded; it is shown as a question mark
    return Response(
        body.encode("utf-8", "replace"),
        status,
        {"Cache-Control": "no-store"},
        media_type="text/html",
    )


class PageRoute(APIRoute):
    """A route whose refusals are pages, behind the console's token where there is one."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler with all that around it."""
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                if is_open(request) or self.path == "/enter":
                    response = await handle(request)
                else:
                    response = _way_in(request)
            except Refusal as refusal:
                response = _sorry(request, refusal.status, refusal.error)
            except RequestValidationError:
                response = _sorry(request, 400, "What was sent is not complete, or does not fit.")
            response.headers.update(HEADERS)
            return response

        return handler


def ask_for_token(request: Request, target: str, *, wrong: bool = False) -> Response:
    """The page that asks for the console's token.

    Args:
        request: what is answered.
        target: the path to go on to.
        wrong: whether another token was tried before.
    """
    return page(request, "enter.html", status=401, target=target, wrong=wrong)


def _way_in(request: Request) -> Response:
    if request.method != "GET":
        return ask_for_token(request, "/")
    token = request.query_params.get("token", "")
    if token and is_token(request, token):
        # out of the address at once, which stays in the browser's history
        return let_in(request, token, request.url.path)
    return ask_for_token(request, request.url.path + _query(request))


def _query(request: Request) -> str:
    return f"?{request.url.query}" if request.url.query else ""


def _sorry(request: Request, status: int, error: str) -> Response:
    return page(request, "error.html", status=status, error=error)
