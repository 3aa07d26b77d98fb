"""The route class of all API operations: the platform's error bodies, faults, commits."""

import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from chaojiyuyan_devserver.kernel import Refusal

from .bodies import Data, Invalid, Refused
from .chaos import strike
from .deps import get_service

_ALWAYS: Mapping[int, tuple[str, ...]] = {413: ("payload_too_large",), 422: ()}


class ApiRoute(APIRoute):
    """A route with the platform's error bodies that answers only when all changes are on disk."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        endpoint = self.name

        async def serve(request: Request) -> Response:
            try:
                self.check(request)
                response = await handle(request)
            except Refusal as refusal:
                response = _refuse(refusal)
            except RequestValidationError as error:
                response = _describe_errors(error)
            await get_service(request).saved()
            return response

        async def handler(request: Request) -> Response:
            request = _JsonRequest(request.scope, request.receive)
            faults = get_service(request).faults.pick(endpoint)
            return await (strike(faults, endpoint, request, serve) if faults else serve(request))

        return handler

    def check(self, request: Request) -> None:
        """Refuse a request before its body is read."""


class _JsonRequest(Request):
    """A request whose JSON is parsed by pydantic: faster, and it rejects lone surrogates."""

    async def json(self) -> Any:
        """Return the body's value.

        Raises:
            json.JSONDecodeError: The body is not JSON.
        """
        try:
            return from_json(await self.body())
        except ValueError as error:
            raise json.JSONDecodeError(str(error), "", 0) from None


def answer(data: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a success: ``{"data": …}``."""
    # JSONResponse would refuse a schema with Infinity, which a catalog in YAML may have.
    body = json.dumps({"data": data}, ensure_ascii=False, separators=(",", ":"))
    return Response(body, status, headers, media_type="application/json")


def _refuse(refusal: Refusal) -> Response:
    """Return a refusal in the platform's format: ``{"detail": {"error": …, "code": …}}``."""
    headers = {"www-authenticate": "Bearer"} if refusal.status == 401 else None
    return JSONResponse({"detail": refusal.detail()}, refusal.status, headers)


def document(
    answers: Mapping[int, Any],
    refusals: Mapping[int, tuple[str, ...]] | None = None,
    *,
    assumed: str = "",
    needs_key: bool = True,
) -> dict[str, Any]:
    """Return an operation's part of the OpenAPI document, as arguments of the route decorators.

    Args:
        answers: The type of ``data`` by HTTP status of success, the usual status first.
        refusals: The error codes by HTTP status.
        assumed: What the platform's documentation does not say and this server assumes.
        needs_key: Whether the operation needs an agent key.
    """
    responses: dict[int | str, Any] = {
        status: {"model": Data[kind], "description": kind.__doc__ or ""}  # type: ignore[valid-type]
        for status, kind in answers.items()
    }
    for status, codes in {
        **({401: ("invalid_api_key",)} if needs_key else {}),
        **_ALWAYS,
        **(refusals or {}),
    }.items():
        text = ", ".join(f"`{code}`" for code in codes) or "The request does not fit the schema."
        responses[status] = {"model": Invalid if status == 422 else Refused, "description": text}
    extra: dict[str, Any] = {"security": [{"agentKey": []}]} if needs_key else {}
    if assumed:
        extra["x-assumed"] = assumed
    return {"status_code": next(iter(answers)), "responses": responses, "openapi_extra": extra}


def _describe_errors(error: RequestValidationError) -> Response:
    """Return FastAPI's usual 422 without the input, which may not be encodable as text."""
    found = [{name: one[name] for name in ("type", "loc", "msg")} for one in error.errors()]
    return JSONResponse({"detail": found}, 422)
