"""The probes of a container: the health and the metrics of a worker over HTTP."""

from __future__ import annotations

import json
import socket
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from chaojiyuyan_worker._run.runtime import Runtime

from .prometheus import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable

    from .health import Health


class HealthServer:
    """Serves ``GET /livez`` and ``GET /readyz`` with 200 or 503 and the :class:`Health` as JSON.

    ``GET /metrics`` returns the metrics in the Prometheus text format.

    Args:
        health: Returns the present health of the worker.
        metrics: Returns the present metrics of the worker.
        port: The port, on all addresses. 0 uses a free port, see :attr:`port`.

    Raises:
        OSError: The port is in use.
    """

    def __init__(self, health: Callable[[], Health], metrics: Callable[[], str], port: int) -> None:
        self._server = _Server(("", port), _handler(health, metrics))
        Runtime().start(self._server.serve_forever, name="chaojiyuyan-health")

    @property
    def port(self) -> int:
        """The port of the server."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop the server."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Pods may have IPv4 or IPv6 addresses.
    address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(
            self.server_address
        )  # the method of the base class would look up the host name
        self.server_address = self.socket.getsockname()


def _handler(
    health: Callable[[], Health], metrics: Callable[[], str]
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            if path == "/metrics":
                self._answer(200, CONTENT_TYPE, metrics())
                return
            now = health()
            passed = {"/livez": now.live, "/readyz": now.ready}.get(path)
            if passed is None:
                self.send_error(404)
                return
            self._answer(200 if passed else 503, "application/json", json.dumps(asdict(now)))

        def _answer(self, status: int, media_type: str, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing, because probes come every few seconds."""

    return Handler
