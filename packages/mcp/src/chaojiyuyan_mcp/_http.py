"""Serve streamable HTTP for containers and hosted agents, and check who may call."""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from chaojiyuyan_core.addresses import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcp.server.lowlevel import Server
    from starlette.types import ASGIApp, Receive, Scope, Send

PATH = "/mcp"
TOKEN_VARIABLE = "CHAOJIYUYAN_MCP_TOKEN"  # noqa: S105  # a name, not a token

MIN_TOKEN_CHARS = 16

END_TIMEOUT = 1
"""Maximum seconds for requests in flight when the server stops."""

_WILDCARDS = ("0.0.0.0", "::", "")  # noqa: S104  # only compared


@dataclass(frozen=True)
class Endpoint:
    """The address to listen on, and the token that each request needs.

    Attributes:
        host: The host to listen on.
        port: The port; 0 uses any free port.
        token: The bearer token.
        is_token_new: Whether the token was generated now and must be shown to the user.
    """

    host: str
    port: int
    token: str = field(repr=False)
    is_token_new: bool

    @classmethod
    def read(cls, address: str, environ: Mapping[str, str], *, allow_remote: bool) -> Endpoint:
        """Read the option `--http` and the token in the environment.

        Args:
            address: The value of `--http`: `HOST:PORT`, with an IPv6 address in brackets.
            environ: The environment.
            allow_remote: Whether other machines may reach the host.

        Raises:
            ValueError: The address or the token is invalid, or a host that other machines can
                reach has no token.
        """
        try:
            parts = urlsplit(f"//{address}")
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
        if host is None or port is None or parts.netloc != address or "@" in address:
            raise ValueError(
                f"--http {address} is not in the form HOST:PORT, such as 127.0.0.1:8788"
            )
        token = environ.get(TOKEN_VARIABLE, "").strip()
        plain = token.isascii() and token.isprintable() and " " not in token
        if token and (len(token) < MIN_TOKEN_CHARS or not plain):
            raise ValueError(
                f"{TOKEN_VARIABLE} must have at least {MIN_TOKEN_CHARS} ASCII characters and no"
                " spaces"
            )
        if not is_loopback(host):
            if not allow_remote:
                raise ValueError(
                    f"--http {address} can be reached by other machines. Add --allow-remote to"
                    " allow this"
                )
            if not token:
                raise ValueError(f"--allow-remote needs a token: set {TOKEN_VARIABLE}")
        return cls(host, port, token or secrets.token_urlsafe(32), not token)

    @property
    def address(self) -> str:
        """The address in the form `HOST:PORT`."""
        return f"{_in_brackets(self.host)}:{self.port}"

    def listen(self) -> socket.socket:
        """Return a listening socket.

        Raises:
            OSError: The port is in use, or the host is not an address of this machine.
        """
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        family, where = found[0][0], found[0][4]
        return socket.create_server((str(where[0]), self.port), family=family)

    def url(self, listener: socket.socket) -> str:
        """Return the URL of the server.

        Args:
            listener: The socket that :meth:`listen` returned.
        """
        return f"http://{_in_brackets(self.host)}:{listener.getsockname()[1]}{PATH}"


class Guard:
    """ASGI middleware that passes a request on, or responds with 401 or 403."""

    def __init__(self, app: ASGIApp, endpoint: Endpoint, port: int) -> None:
        """Wrap an application.

        Args:
            app: The application.
            endpoint: The host and the token.
            port: The port of the server.
        """
        self._app = app
        self._endpoint = endpoint
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on.

        Args:
            scope: The ASGI scope of the request.
            receive: Receives the body of the request.
            send: Sends the response.
        """
        from starlette.datastructures import Headers
        from starlette.responses import PlainTextResponse

        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or not self._knows_host(hosts[0]):
            refusal = PlainTextResponse("The Host header does not name this server.\n", 403)
        elif not all(self._knows_origin(origin, hosts[0]) for origin in origins):
            refusal = PlainTextResponse("Requests from this origin are not allowed.\n", 403)
        elif not self._holds_token(headers.getlist("authorization")):
            challenge = {"WWW-Authenticate": 'Bearer realm="chaojiyuyan-mcp"'}
            refusal = PlainTextResponse("A valid bearer token is required.\n", 401, challenge)
        else:
            await self._app(scope, receive, send)
            return
        await refusal(scope, receive, send)

    def _knows_host(self, host: str) -> bool:
        """Return whether a `Host` header names this server, against DNS rebinding."""
        name = _hostname(host)
        if name is None:
            return False
        own = self._endpoint.host
        return is_loopback(name) or name == own or own in _WILDCARDS

    def _knows_origin(self, origin: str, host: str) -> bool:
        """Return whether an `Origin` header names this server itself."""
        try:
            parts = urlsplit(origin)
            port = parts.port
        except ValueError:
            return False
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return False
        if is_loopback(parts.hostname):
            return port == self._port
        return not is_loopback(self._endpoint.host) and parts.netloc == host

    def _holds_token(self, values: list[str]) -> bool:
        if len(values) != 1:
            return False
        scheme, _, token = values[0].partition(" ")
        expected = self._endpoint.token.encode()
        # A comparison in constant time, so that its time tells nothing about the token.
        return compare_digest(token.strip().encode(), expected) and scheme.lower() == "bearer"


def serve(server: Server[None], endpoint: Endpoint, listener: socket.socket) -> None:
    """Serve until a signal arrives.

    Args:
        server: The MCP server.
        endpoint: The host and the token.
        listener: The listening socket. It is closed at the end.
    """
    import uvicorn
    from mcp.server.transport_security import TransportSecuritySettings

    # The guard protects against DNS rebinding.
    security = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    app = server.streamable_http_app(streamable_http_path=PATH, transport_security=security)
    config = uvicorn.Config(
        Guard(app, endpoint, listener.getsockname()[1]),
        http="h11",  # httptools keeps trailing spaces of a header (RFC 9110, 5.5)
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=END_TIMEOUT,
        lifespan="on",
    )
    with listener:
        uvicorn.Server(config).run(sockets=[listener])


def _hostname(host: str) -> str | None:
    """Return the host name in a `Host` header, or None when it is not valid."""
    try:
        parts = urlsplit(f"//{host}")
        parts.port  # noqa: B018  # raises when it is not a number
    except ValueError:
        return None
    return parts.hostname if parts.netloc == host and "@" not in host else None


def _in_brackets(host: str) -> str:
    return f"[{host}]" if ":" in host else host
