"""One request and its answer."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError

from chaojiyuyan_devserver.kernel import Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

    from chaojiyuyan_devserver.kernel.records import Agent
    from chaojiyuyan_devserver.service import KernelService

LONGEST_WAIT = 60.0
_WAIT = re.compile(rb"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})\"?(?:$|[,;\s])", re.IGNORECASE)
_JSON_TYPE = re.compile(rb"application/(?:[\w.+-]+\+)?json\s*(?:;|$)", re.IGNORECASE)

Model = TypeVar("Model", bound=BaseModel)


class InvalidRequest(Exception):
    """A request that does not fit the schema; its answer is FastAPI's own 422.

    Args:
        errors: FastAPI's list of what is wrong.
    """

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(errors)
        self.errors = errors


@dataclass(slots=True)
class Answer:
    """What is sent back: ``{"data": value}``, unless it is ``bare``."""

    value: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    bare: bool = False

    async def send(self, send: Send) -> None:
        """Send it."""
        value = self.value if self.bare else {"data": self.value}
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *((name.encode(), value.encode()) for name, value in self.headers.items()),
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Exchange:
    """A request as an operation reads it.

    Args:
        service: the kernel at work.
        scope: ASGI's description of the request.
        receive: ASGI's source of its body.
        parameters: the parts of the path that the operation names in braces.
    """

    def __init__(
        self, service: KernelService, scope: Scope, receive: Receive, parameters: dict[str, str]
    ) -> None:
        self.service = service
        self._scope = scope
        self._receive = receive
        self.parameters = parameters

    def header(self, name: bytes) -> bytes:
        """A header's value; empty where it is absent."""
        return next((value for key, value in self._scope["headers"] if key == name), b"")

    @cached_property
    def agent(self) -> Agent:
        """The agent whose key the request carries.

        Raises:
            Refusal: 401 ``invalid_api_key``.
        """
        scheme, _, key = self.header(b"authorization").partition(b" ")
        agent = self.service.kernel.agents.authenticate(key.strip().decode("latin-1"))
        if agent is None or scheme.lower() != b"bearer":
            raise Refusal(401, "invalid_api_key", "no valid agent key in the Authorization header")
        return agent

    @property
    def origin(self) -> str:
        """The server's address as the client knows it, e.g. ``http://127.0.0.1:8787``."""
        return f"{self._scope['scheme']}://{self.header(b'host').decode('latin-1')}"

    @cached_property
    def wait(self) -> float | None:
        """The seconds of ``Prefer: wait`` (RFC 7240), at most 60; None without it."""
        match = _WAIT.search(self.header(b"prefer"))
        return min(float(match.group(1)), LONGEST_WAIT) if match else None

    @property
    def applied(self) -> dict[str, str]:
        """The header that says that the wait was honoured."""
        return {} if self.wait is None else {"preference-applied": f"wait={self.wait:.0f}"}

    def query(self, model: type[Model]) -> Model:
        """The query string.

        Raises:
            InvalidRequest: it does not fit.
        """
        values = dict(parse_qsl(self._scope["query_string"].decode("latin-1")))
        try:
            return model.model_validate(values)
        except ValidationError as error:
            raise InvalidRequest(_located(error, "query")) from None

    async def body(self, model: type[Model]) -> Model:
        """The body.

        Raises:
            InvalidRequest: it is not JSON or does not fit.
        """
        body = await self._read()
        kind = self.header(b"content-type")
        if kind and not _JSON_TYPE.match(kind):
            message = "Input should be sent as application/json"
            raise InvalidRequest([{"type": "content_type", "loc": ["body"], "msg": message}])
        try:
            return model.model_validate_json(body)
        except ValidationError as error:
            raise InvalidRequest(_located(error, "body")) from None

    async def _read(self) -> bytes:
        message = await self._receive()
        if not message.get("more_body"):
            whole: bytes = message.get("body", b"")
            return whole
        parts = [message["body"]]
        while message.get("more_body"):
            message = await self._receive()
            parts.append(message.get("body", b""))
        return b"".join(parts)

    @asynccontextmanager
    async def hang_up(self) -> AsyncIterator[asyncio.Future[None]]:
        """A future that is done once the client has hung up."""

        async def watch() -> None:
            while (await self._receive())["type"] != "http.disconnect":
                pass

        watching = asyncio.ensure_future(watch())
        try:
            yield watching
        finally:
            watching.cancel()


def _located(error: ValidationError, where: str) -> list[dict[str, Any]]:
    # without the input itself, which need not be text
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [{"type": one["type"], "loc": [where, *one["loc"]], "msg": one["msg"]} for one in found]
