"""Access to the console: its token, and the CSRF token in its forms."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from chaojiyuyan_devserver._api.deps import Service
from chaojiyuyan_devserver.kernel import Refusal


def is_open(request: Request) -> bool:
    """Return whether the request's browser may see the console."""
    return is_token(request, request.cookies.get(_cookie(request), ""))


def is_token(request: Request, given: str) -> bool:
    """Return whether ``token`` is the console's token; True if the console has none."""
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


async def _require_own_form(service: Service, csrf_token: Annotated[str, Form()] = "") -> None:
    # Another site cannot read these pages, so it cannot know the token in their forms.
    if not hmac.compare_digest(service.form_token.encode(), csrf_token.encode()):
        raise Refusal(403, "bad_csrf_token", "The form is not from a page of this server.")


OwnForm = Depends(_require_own_form)
"""Refuses a form that is not from a page of this server: 403 ``bad_csrf_token``."""
