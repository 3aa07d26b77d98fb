"""The MCP server as a process with one JSON message per line."""

from __future__ import annotations

import itertools
import json
import os
import queue
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from chaojiyuyan_devserver.testing import LocalKernel

Json = dict[str, Any]

HELLO: Json = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "tests", "version": "1"},
}

OURS = ("CHAOJIYUYAN_", "HEBING_", "NEXUS_")


def clean_environment(home: Path, **variables: str) -> dict[str, str]:
    """Return the environment without the keys, profiles and settings of the user."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**kept, "HOME": str(home), "USERPROFILE": str(home), **variables}


@dataclass
class Answer:
    """The result of a tool call."""

    result: Json

    @property
    def failed(self) -> bool:
        return bool(self.result.get("isError"))

    @property
    def data(self) -> Json:
        """Return the structured content, which must equal the text; without the notice in it."""
        assert not self.failed, self.result
        structured: Json = self.result["structuredContent"]
        assert json.loads(self.result["content"][0]["text"]) == structured
        assert "not instructions" in structured["data_notice"]
        return {name: value for name, value in structured.items() if name != "data_notice"}

    @property
    def error(self) -> Json:
        """Return the error; without structured content, which clients would validate."""
        assert self.failed, self.result
        assert "structuredContent" not in self.result
        error: Json = json.loads(self.result["content"][0]["text"])
        return error


@dataclass
class Wire:
    """A server process and its two pipes."""

    process: subprocess.Popen[bytes]
    log: Path
    strays: list[bytes] = field(default_factory=list)
    notices: list[Json] = field(default_factory=list)
    answers: dict[object, Json] = field(default_factory=dict)
    envelope: Json = field(default_factory=dict)
    _lines: queue.SimpleQueue[bytes | None] = field(default_factory=queue.SimpleQueue)
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def send(self, message: object) -> None:
        self.write(json.dumps(message).encode() + b"\n")

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def ask(self, method: str, params: Json | None = None) -> int:
        """Send a request and return its id."""
        number = next(self._ids)
        params = {**(params or {})}
        if meta := {**self.envelope, **params.get("_meta", {})}:
            params["_meta"] = meta
        self.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return number

    def begin(self, tool: str, *, progress: bool = False, **arguments: object) -> int:
        """Start a tool call and return its id."""
        params: Json = {"name": tool, "arguments": arguments}
        if progress:
            params["_meta"] = {"progressToken": "progress"}
        return self.ask("tools/call", params)

    def answer(self, number: int, timeout: float = 20) -> Json:
        """Wait for the response to a request: ``result`` or ``error``."""
        deadline = time.monotonic() + timeout
        while number not in self.answers:
            assert self.take(deadline - time.monotonic()), f"no answer to {number}, but the end"
        return self.answers.pop(number)

    def take(self, timeout: float) -> bool:
        """Read one more line; return False at the end of the output."""
        line = self._lines.get(timeout=max(timeout, 0.01))
        if line is None:
            return False
        try:
            message = json.loads(line)
            assert message["jsonrpc"] == "2.0"
        except (ValueError, KeyError, TypeError, AssertionError):
            self.strays.append(line)
            return True
        if "method" in message:
            self.notices.append(message)
        else:
            self.answers[message["id"]] = message
        return True

    def rest(self, timeout: float = 5) -> None:
        """Read everything up to the end of the output."""
        while self.take(timeout):
            pass

    def greet(self) -> Json:
        """Initialize with the 2025 protocol."""
        result: Json = self.answer(self.ask("initialize", HELLO))["result"]
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return result

    def discover(self, **capabilities: Json) -> Json:
        """Open the connection with the 2026 protocol, as a client with capabilities."""
        self.envelope = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": capabilities,
        }
        result: Json = self.answer(self.ask("server/discover"))["result"]
        return result

    def result(self, number: int, timeout: float = 20) -> Answer:
        return Answer(self.answer(number, timeout)["result"])

    def call(self, tool: str, **arguments: object) -> Answer:
        return self.result(self.begin(tool, **arguments))

    def end(self, timeout: float = 30) -> int:
        """Close the input and return the exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(timeout)


@dataclass
class Servers:
    """Starts server processes, and stops those that a test has left running."""

    home: Path
    started: list[Wire] = field(default_factory=list)

    def start(self, *arguments: str, prefix: list[str] | None = None, **variables: str) -> Wire:
        log = self.home / f"server-{len(self.started)}.log"
        with log.open("wb") as errors:
            process = subprocess.Popen(
                prefix or [sys.executable, "-m", "chaojiyuyan_mcp", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=clean_environment(self.home, **variables),
            )
        wire = Wire(process, log)
        self.started.append(wire)
        return wire

    def close(self) -> None:
        for wire in self.started:
            if wire.process.poll() is None:
                wire.process.kill()
                wire.process.wait()
            for pipe in (wire.process.stdin, wire.process.stdout):
                assert pipe is not None
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue


def reach(kernel: LocalKernel, api_key: str | None = None) -> dict[str, str]:
    """Return the environment variables with a kernel's URL and key."""
    return {
        "CHAOJIYUYAN_API_KEY": api_key or kernel.api_key,
        "HEBING_BASE_URL": kernel.base_url,
        "NO_PROXY": "*",
    }
