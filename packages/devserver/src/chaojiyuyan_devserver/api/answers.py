"""The platform's envelopes: ``{"data": ...}`` and ``{"detail": {...}}``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from chaojiyuyan_devserver.kernel import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request


class JsonResponse(Response):
    """JSON, compact and in UTF-8."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The body's bytes."""
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def data(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A success."""
    return JsonResponse({"data": value}, status, headers)


async def refused(_request: Request, error: Exception) -> Response:
    """A refusal as the platform words it."""
    if not isinstance(error, Refusal):
        raise error
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
    return JsonResponse({"detail": error.detail()}, error.status, headers)
