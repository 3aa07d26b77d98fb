"""Access to the console by its token, which the browser keeps in a cookie."""

import hmac

from fastapi import Request
from starlette.responses import RedirectResponse, Response


def is_open(request: Request) -> bool:
    """Return whether the request's browser may see the console."""
    return is_token(request, request.cookies.get(_cookie(request), ""))


def is_token(request: Request, given: str) -> bool:
    """Return whether ``given`` is the console's token; True if the console has none."""
    token: str | None = request.app.state.access.console_token
    return token is None or hmac.compare_digest(token.encode(), given.encode())


def let_in(request: Request, target: str) -> Response:
    """Redirect to a page of this server, with the console's token in a cookie if it has one.

    Args:
        request: The request.
        target: The page's path, from a form; ``/`` is used if it could be on another server.
    """
    is_local = target.startswith("/") and target[1:2] not in ("/", "\\")
    response = RedirectResponse(target if is_local else "/", 303)
    token: str | None = request.app.state.access.console_token
    if token is not None:
        response.set_cookie(_cookie(request), token, httponly=True, samesite="strict")
    return response


def _cookie(request: Request) -> str:
    # cookies are not separate for each port, and several kernels may run
    return f"chaojiyuyan_console_{request.url.port or 80}"
