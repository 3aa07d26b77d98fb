"""Who may see the console: the holder of its token."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse, Response

if TYPE_CHECKING:
    from starlette.requests import Request


def is_open(request: Request) -> bool:
    """Return whether this browser may see the console."""
    return is_token(request, request.cookies.get(_cookie(request), ""))


def is_token(request: Request, given: str) -> bool:
    """Return whether this is the console's token; anything is, where the console has none."""
    token: str | None = request.app.state.console_token
    return token is None or hmac.compare_digest(token.encode(), given.encode())


def let_in(request: Request, target: str) -> Response:
    """Keep the console's token, if it has one, in a cookie and go on to a page of this server."""
    response = RedirectResponse(local_path(target), 303)
    token: str | None = request.app.state.console_token
    if token is not None:
        response.set_cookie(_cookie(request), token, httponly=True, samesite="strict")
    return response


def local_path(target: str) -> str:
    """Return a path of this server to go on to: never another site's address.

    Args:
        target: What a form named.

    Returns:
        The target, or ``/`` where it could lead elsewhere.
    """
    return target if target.startswith("/") and target[1:2] not in ("/", "\\") else "/"


def _cookie(request: Request) -> str:
    # cookies know no ports, and there may be a kernel on each
    return f"chaojiyuyan_console_{request.url.port or 80}"
