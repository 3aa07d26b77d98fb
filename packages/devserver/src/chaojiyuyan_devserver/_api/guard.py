"""Checks of every request: its Host, its origin and the size of its body. Adds ``Date``."""

from collections.abc import Callable
from contextlib import suppress
from email.utils import formatdate
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chaojiyuyan_devserver.kernel import Refusal

MAX_BODY_BYTES = 8 * 1024 * 1024
MAX_SNAPSHOT_BYTES = 4 * 1024**3
_SNAPSHOT = "/_control/snapshot"
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_OWN_SITES = ("same-origin", "none")


class Guard:
    """ASGI middleware in front of the application.

    A web page whose own host name resolves to this machine (DNS rebinding) sends that name in
    ``Host``, so unknown names are refused. A page of another site can send requests although it
    cannot read the responses, so its requests that change something are refused by
    ``Sec-Fetch-Site``, which browsers set and pages cannot. ``Date`` is the kernel's time,
    because a worker computes the end of its lease from it, also after the clock was moved.

    Args:
        app: The application behind the guard.
        hosts: The host names of this kernel, without the port.
        clock: The kernel's clock.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str], clock: Callable[[], float]) -> None:
        self._app = app
        self._hosts = hosts
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            return

        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = formatdate(self._clock(), usegmt=True).encode()
                message["headers"] = [*message.get("headers", ()), (b"date", date)]
            await send(message)

        refusal = self._check(scope) or await self._pass_on(scope, receive, dated)
        if refusal is not None:
            body, headers = {"detail": refusal.detail()}, {"connection": "close"}
            await JSONResponse(body, refusal.status, headers)(scope, receive, dated)

    def _check(self, scope: Scope) -> Refusal | None:
        headers, is_change = Headers(scope=scope), scope["method"] not in _SAFE_METHODS
        if not self._is_ours(headers.get("host", "")):
            return Refusal(421, "host_not_allowed", "This server does not serve this Host.")
        if is_change and headers.get("sec-fetch-site", "none") not in _OWN_SITES:
            return Refusal(403, "cross_site_request", "A page of another site may not do this.")
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > _limit(scope):
            return _too_large(scope)
        return None

    def _is_ours(self, host: str) -> bool:
        name = host_name(host)
        if name in self._hosts:
            return True
        try:
            # An IP address, unlike a name, cannot be made to resolve to this machine.
            ip_address(name)
        except ValueError:
            return False
        return True

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> Refusal | None:
        limit, received = _limit(scope), 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise _BodyTooLargeError
            return message

        async def replaced(message: Message) -> None:
            # FastAPI would turn the exception into a response of its own.
            if received <= limit:
                await send(message)

        with suppress(_BodyTooLargeError):
            await self._app(scope, counted, replaced)
        return _too_large(scope) if received > limit else None


class _BodyTooLargeError(Exception):
    """The body is larger than the limit."""


def _limit(scope: Scope) -> int:
    return MAX_SNAPSHOT_BYTES if scope["path"] == _SNAPSHOT else MAX_BODY_BYTES


def _too_large(scope: Scope) -> Refusal:
    return Refusal(413, "payload_too_large", f"The body exceeds {_limit(scope)} bytes.")


def host_name(host: str) -> str:
    """Return the host of a ``Host`` header in lower case, without the port and the brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
