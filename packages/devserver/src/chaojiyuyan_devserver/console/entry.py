"""Who may see the console: all who reach a loopback address, else the holder of a token."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse, Response

if TYPE_CHECKING:
    from starlette.requests import Request


def is_open(request: Request) -> bool:
    """Whether this browser may see the console."""
    return is_token(request, request.cookies.get(_cookie(request), ""))


def is_token(request: Request, given: str) -> bool:
    """Whether this is the console's token; anything is, where the console has none."""
    token: str | None = request.app.state.console_token
    return token is None or hmac.compare_digest(token.encode(), given.encode())


def let_in(request: Request, token: str, target: str) -> Response:
    """Keep the token in a cookie and go on to a page of this server."""
    # never to another site's address
    path = target if target.startswith("/") and target[1:2] not in ("/", "\\") else "/"
    response = RedirectResponse(path, 303)
    response.set_cookie(_cookie(request), token, httponly=True, samesite="strict")
    return response


def _cookie(request: Request) -> str:
    # cookies know no ports, and there may be a kernel on each
    return f"chaojiyuyan_console_{request.url.port or 80}"
