"""The MCP server compared with the released 0.4.0 and a bare server of the mcp library."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from chaojiyuyan_devserver.testing import LocalKernel

from .method import Row, in_turn, ours, peer

if TYPE_CHECKING:
    from collections.abc import Iterator

STARTS = 9
CALLS = 300
ROUNDS = 3

# The smallest server with the low level of the mcp library. It is not a file in this folder,
# because it would import this folder's mcp.py instead of the library.
BARE = """
import anyio
from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

async def list_tools(context, params):
    return types.ListToolsResult(tools=[])

async def main():
    server = Server("bare", on_list_tools=list_tools)
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())

anyio.run(main)
"""

HELLO = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "bench", "version": "1"},
}


class Server:
    """A server process."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._ids = itertools.count(1)
        started = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        self.ask("initialize", HELLO)
        self.first_answer = 1000 * (time.perf_counter() - started)
        self._send({"method": "notifications/initialized"})

    def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send a request and return the response."""
        number = next(self._ids)
        self._send({"id": number, "method": method, "params": params})
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer: dict[str, Any] = json.loads(line)
            if answer.get("id") == number:
                return answer
        raise RuntimeError(f"the server ended before it answered {method}")

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self._process.stdin.flush()

    def milliseconds(self, method: str, params: dict[str, Any]) -> float:
        """Return the median of many sequential round trips."""
        took = []
        for _ in range(CALLS):
            started = time.perf_counter()
            self.ask(method, params)
            took.append(1000 * (time.perf_counter() - started))
        return median(took)

    def megabytes(self) -> float:
        """Return the process's peak memory so far."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


def rows() -> list[Row]:
    """Start, memory before the first call, the list of tools, and a call's round trip."""
    with tempfile.TemporaryDirectory() as folder, LocalKernel(Path(folder) / "kernel") as kernel:
        environment = {
            **os.environ,
            "HOME": folder,
            "CHAOJIYUYAN_API_KEY": kernel.api_key,
            "HEBING_BASE_URL": kernel.base_url,
        }
        commands = {
            "ours": [str(ours()), "-m", "chaojiyuyan_mcp"],
            "0.4.0": [
                str(peer("chaojiyuyan-sdk[mcp]==0.4.0").with_name("chaojiyuyan")),
                "mcp-server",
            ],
            "floor: bare server": [str(ours()), "-c", BARE],
        }
        memory: dict[str, list[float]] = {name: [] for name in commands}

        def start(name: str) -> float:
            server = Server(commands[name], environment)
            memory[name].append(server.megabytes())
            server.end()
            return server.first_answer

        starts = in_turn({name: lambda name=name: start(name) for name in commands}, STARTS)
        peak = {name: median(values) for name, values in memory.items()}
        with kernel.client() as client:
            order = {"capability_key": "test.echo.v1", "input_payload": {"text": "x" * 1000}}
            job_id = client.post("/kernel-jobs", json=order).json()["data"]["id"]
        servers = {name: Server(command, environment) for name, command in commands.items()}
        try:
            lists = in_turn(
                {name: lambda s=s: s.milliseconds("tools/list", {}) for name, s in servers.items()},
                ROUNDS,
            )
            del servers["floor: bare server"]
            call = {"name": "kernel_get_job", "arguments": {"job_id": job_id}}
            calls = in_turn(
                {
                    name: lambda s=s: s.milliseconds("tools/call", call)
                    for name, s in servers.items()
                },
                ROUNDS,
            )
        finally:
            for server in servers.values():
                server.end()
    return [
        *_beside("first answer, ms", starts, {"floor: bare server": "<= 1.1"}),
        *_beside("memory before the first call, MB", peak, {"floor: bare server": "<= 1.15"}),
        *_beside("tools/list, ms", lists, {}),
        *_beside("kernel_get_job round trip, ms", calls, {}),
    ]


def _beside(name: str, figures: dict[str, float], goals: dict[str, str]) -> Iterator[Row]:
    for other, figure in figures.items():
        if other != "ours":
            yield Row(name, figures["ours"], figure, other, goals.get(other, ""))
