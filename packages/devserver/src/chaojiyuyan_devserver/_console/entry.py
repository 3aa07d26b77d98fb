"""Who may see the console: the holder of its token. And whose forms it takes: its own."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from chaojiyuyan_devserver._api.deps import Service
from chaojiyuyan_devserver.kernel import Refusal


def is_open(request: Request) -> bool:
    """Return whether this browser may see the console."""
    return is_token(request, request.cookies.get(_cookie(request), ""))


def is_token(request: Request, given: str) -> bool:
    """Return whether this is the console's token; anything is, where the console has none."""
    token: str | None = request.app.state.access.console_token
    return token is None or hmac.compare_digest(token.encode(), given.encode())


def let_in(request: Request, target: str) -> Response:
    """Keep the console's token, if it has one, in a cookie and go on to a page of this server.

    Args:
        request: What is answered.
        target: The page's path, from a form; ``/`` is taken where it could lead elsewhere.
    """
    is_local = target.startswith("/") and target[1:2] not in ("/", "\\")
    response = RedirectResponse(target if is_local else "/", 303)
    token: str | None = request.app.state.access.console_token
    if token is not None:
        response.set_cookie(_cookie(request), token, httponly=True, samesite="strict")
    return response


def _cookie(request: Request) -> str:
    # cookies know no ports, and there may be a kernel on each
    return f"chaojiyuyan_console_{request.url.port or 80}"


async def _require_own_form(service: Service, csrf_token: Annotated[str, Form()] = "") -> None:
    # Another site cannot read our pages, so it cannot know the token in every form.
    if not hmac.compare_digest(service.form_token.encode(), csrf_token.encode()):
        raise Refusal(403, "bad_csrf_token", "This form did not come from this server's own page.")


OwnForm = Depends(_require_own_form)
"""Refuses a form that is not one of our own: 403 ``bad_csrf_token``."""
