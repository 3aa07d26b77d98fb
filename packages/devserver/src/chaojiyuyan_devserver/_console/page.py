"""Rendering of all pages: templates, layout, refusals, headers."""

import hmac
from collections.abc import Callable, Coroutine, Iterable
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import Response

from chaojiyuyan_devserver._api.deps import get_service
from chaojiyuyan_devserver._version import __version__
from chaojiyuyan_devserver.kernel import Kernel, Refusal

from . import assets, text
from .entry import is_open, is_token, let_in
from .language import choose_language

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

NAVIGATION = ("overview", "jobs", "catalog", "workers", "webhooks", "keys", "balances", "simulate")
"""The sections. On a phone the first four are tabs; a fifth opens the rest."""

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


Handler = TypeVar("Handler", bound=Callable[..., Any])


class PageRequest:
    """A request for a page.

    Attributes:
        request: The HTTP request.
        service: The running kernel.
        language: The language that the browser prefers.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self.service = get_service(request)
        self.language = choose_language(request.headers.get("accept-language", ""))

    @property
    def kernel(self) -> Kernel:
        """The kernel's state."""
        return self.service.kernel

    @property
    def now(self) -> float:
        """The kernel's time, in seconds since the epoch."""
        return self.service.clock()

    @property
    def address(self) -> str:
        """The requested path with its query."""
        url = self.request.url
        return f"{url.path}?{url.query}".removesuffix("?")

    def render(
        self,
        template: str,
        *,
        status: int = 200,
        live: Iterable[str] = (),
        every: int | None = None,
        address: str | None = None,
        **context: Any,
    ) -> Response:
        """Render the page.

        Args:
            template: The file's name in ``templates/``.
            status: The HTTP status.
            live: The topics of ``live.py``; when one changes, the page's live part is updated.
            every: Also update it every so many seconds, for what changes without an event.
            address: The address to request for updates; the request's own by default.
            **context: The template's own values.
        """
        first = self.request.url.path.split("/")[1]
        body = templates.get_template(template).render(
            t=self.language,
            csrf_token=self.service.form_token,
            now=self.now,
            clock_offset=self.service.clock.offset,
            faults_on=bool(self.service.faults.texts),
            section=SECTIONS.get(first, first),
            this_url=address or self.address,
            live_url="/live?" + urlencode([("on", topic) for topic in live]) if live else None,
            every=every,
            agents=self.kernel.agents.by_id,
            **context,
        )
        code = self.language.code
        headers = {"Cache-Control": "no-store", "Content-Language": code, "Vary": "Accept-Language"}
        # a lone surrogate in a payload cannot be encoded; it is shown as a question mark
        return Response(body.encode("utf-8", "replace"), status, headers, media_type="text/html")

    def refuse(self, status: int, code: str, error: str = "") -> Response:
        """Show the message for the code in the page's language, or the API's own message."""
        known = f"refusal.{code}" in self.language.messages
        message = self.language(f"refusal.{code}") if known else error
        return self.render("error.html", status=status, code=status, error=message)

    def ask_for_token(self, target: str, *, wrong: bool = False) -> Response:
        """Show the form that asks for the console's token and then goes to ``target``."""
        return self.render("enter.html", status=401, target=target, wrong=wrong)

    def way_in(self) -> Response:
        """Let the browser in if the address has the token, and otherwise ask for the token."""
        if self.request.method != "GET":
            return self.ask_for_token("/")
        token = self.request.query_params.get("token", "")
        if token and is_token(self.request, token):
            # redirect without the token, since addresses stay in the browser's history
            url = self.request.url.remove_query_params("token")
            return let_in(self.request, f"{url.path}?{url.query}".removesuffix("?"))
        return self.ask_for_token(self.address)


async def _get_page(request: Request) -> PageRequest:
    return PageRequest(request)


Page = Annotated[PageRequest, Depends(_get_page)]


class PageRoute(APIRoute):
    """A route that needs the console's token and renders refusals as pages.

    A page shows only what is committed; a form is answered when its changes are committed.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            page = PageRequest(request)
            try:
                if is_open(request) or self.path == "/enter":
                    await page.service.saved()
                    response = await handle(request)
                    await page.service.saved()
                else:
                    response = page.way_in()
            except Refusal as refusal:
                # a refused bid may have status 200; a page answers it with a conflict
                status = refusal.status if refusal.status >= 400 else 409
                response = page.refuse(status, refusal.code, refusal.error)
            except RequestValidationError:
                response = page.refuse(400, "invalid_form")
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            return response

        return handler


async def _require_own_form(page: Page, csrf_token: Annotated[str, Form()] = "") -> None:
    # Another site cannot read these pages, so it cannot know the token in their forms.
    if not hmac.compare_digest(page.service.form_token.encode(), csrf_token.encode()):
        raise Refusal(403, "bad_csrf_token", "The form is not from a page of this server.")


router = APIRouter(include_in_schema=False, route_class=PageRoute)
"""All pages of the console."""
router.include_router(assets.router)


def form(path: str) -> Callable[[Handler], Handler]:
    """Add the handler of a form, which must be from a page of this server."""
    return router.post(path, dependencies=[Depends(_require_own_form)])


@router.post("/enter")
async def enter(
    page: Page, token: Annotated[str, Form()], target: Annotated[str, Form()] = "/"
) -> Response:
    """Accept the token, or the whole link with it, and redirect to the requested page."""
    if is_token(page.request, token.strip().rpartition("token=")[2]):
        return let_in(page.request, target)
    return page.ask_for_token(target, wrong=True)


def not_found_page(request: Request) -> Response:
    """Return the 404 page for an unknown address, or the page that asks for the token."""
    page = PageRequest(request)
    response = page.refuse(404, "no_such_page") if is_open(request) else page.way_in()
    response.headers.update(HEADERS)
    return response
