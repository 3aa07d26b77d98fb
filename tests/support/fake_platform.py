"""A server for responses that the local kernel never sends."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .command_line import PATIENCE


class FakePlatform(ThreadingHTTPServer):
    """Sends the given responses."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.answers: dict[str, tuple[int, str, bytes]] = {}
        self.half = threading.Event()  # when it is set, the second half of a file is sent
        self.base_url = f"http://127.0.0.1:{self.server_address[1]}/api/v1"

    def say(self, path: str, body: object, status: int = 200) -> None:
        """Answer every request for the path with JSON, for any method."""
        self.answers[path] = (status, "application/json", json.dumps(body).encode())

    def say_file(self, path: str, content: bytes) -> None:
        """Answer with a file whose second half is sent once `half` is set."""
        self.answers[path] = (200, "application/octet-stream", content)

    def say_html(self, path: str, page: bytes, status: int = 200) -> None:
        self.answers[path] = (status, "text/html", page)


class _Answer(BaseHTTPRequestHandler):
    server: FakePlatform

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        path = self.path.partition("?")[0].removeprefix("/api/v1")
        status, kind, body = self.server.answers[path]
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if kind == "application/octet-stream":
            self.wfile.write(body[: len(body) // 2])
            self.server.half.wait(PATIENCE)
            body = body[len(body) // 2 :]
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass
