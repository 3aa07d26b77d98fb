"""The page on which a human approves a device login (RFC 8628)."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Form, Request
from starlette.responses import Response

from chaojiyuyan_devserver._api.deps import Service

from .entry import OwnForm
from .page import page, router


@router.get("/activate")
async def ask(request: Request, service: Service, code: str = "") -> Response:
    """Show the approval form for a code, or one that asks for the code."""
    login = service.kernel.logins.find(code, service.clock())
    if login is None:
        status = 404 if code else 200
        return page(request, "activate_code.html", status=status, code=code)
    return page(request, "activate.html", login=login)


@router.post("/activate", dependencies=[OwnForm])
async def decide(
    request: Request,
    service: Service,
    code: Annotated[str, Form()],
    decision: Annotated[Literal["approve", "deny"], Form()] = "approve",
) -> Response:
    """Approve or deny a login."""
    login = service.kernel.logins.decide(code, decision == "approve", service.clock())
    return page(request, "activate_done.html", login=login)
