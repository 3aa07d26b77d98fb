"""The page that asks for the console's token."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from .entry import is_token, let_in
from .page import PageRoute, ask_for_token

router = APIRouter(route_class=PageRoute)


@router.post("/enter")
async def enter(
    request: Request, token: Annotated[str, Form()], target: Annotated[str, Form()] = "/"
) -> Response:
    """Take the token, or the whole link with it, and go on to the page that was asked for."""
    if is_token(request, token.strip().rpartition("token=")[2]):
        return let_in(request, target)
    return ask_for_token(request, target, wrong=True)
