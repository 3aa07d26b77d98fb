"""The MCP server over HTTP, as a process."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from support.mcp_server import HELLO, clean_environment

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]

TOKEN = "a-token-of-the-tests"
VERSION = "2026-07-28"
ACCEPT = "application/json, text/event-stream"


@dataclass
class HttpServer:
    """A server with its own port."""

    home: Path
    arguments: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    address: str = "127.0.0.1:0"

    def __enter__(self) -> HttpServer:
        self.log = self.home / "http.log"
        variables = {"CHAOJIYUYAN_MCP_TOKEN": TOKEN, **self.variables}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "chaojiyuyan_mcp", "--http", self.address, *self.arguments],
                stdout=log,
                stderr=log,
                env=clean_environment(self.home, **variables),
            )
        self.url = self._read_url()
        return self

    def _read_url(self) -> str:
        deadline = time.monotonic() + 30
        while not (found := re.search(r"serving (http://\S+);", self.log.read_text())):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)
        while True:  # the port is printed before the first request is accepted
            try:
                httpx.get(found[1], trust_env=False)
            except httpx.TransportError:
                assert time.monotonic() < deadline, self.log.read_text()
                time.sleep(0.05)
            else:
                return found[1]

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def post(self, method: str, params: Json | None = None, **headers: str) -> httpx.Response:
        """Send one request of the 2026 protocol."""
        capabilities = {"extensions": {"io.modelcontextprotocol/tasks": {}}, "elicitation": {}}
        meta = {
            "io.modelcontextprotocol/protocolVersion": VERSION,
            "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": capabilities,
        }
        params = {**(params or {}), "_meta": meta}
        name = params.get("name") or params.get("taskId")
        sent = {
            "authorization": f"Bearer {TOKEN}",
            "accept": ACCEPT,
            "mcp-protocol-version": VERSION,
            "mcp-method": method,
            **({"mcp-name": str(name)} if name else {}),
            **headers,
        }
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return httpx.post(self.url, json=body, headers=sent, trust_env=False, timeout=30)

    def call(self, tool: str, **arguments: object) -> Json:
        """Call a tool and return its result."""
        answer = self.post("tools/call", {"name": tool, "arguments": arguments})
        assert answer.status_code == 200, answer.text
        result: Json = answer.json()["result"]
        return result

    def greet(self, **headers: str) -> httpx.Response:
        """Send the first request of the 2025 protocol."""
        body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}
        sent = {"authorization": f"Bearer {TOKEN}", "accept": ACCEPT, **headers}
        return httpx.post(self.url, json=body, headers=sent, trust_env=False, timeout=30)
