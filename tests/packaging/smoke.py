"""A smoke test of an installation on any system: ``python tests/packaging/smoke.py``.

Starts the local kernel, runs a worker, calls it with the client, the command line and the MCP
server, and stores a credential. Otherwise it only uses the standard library, because a release is
tested with only its wheels installed.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path


def check_credentials() -> None:
    """Store a key in a file on this system, and read it again."""
    from chaojiyuyan_core.credentials import load_credentials, save_credentials

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "profiles", "credentials")
        save_credentials("nxt_ag_one", path=path)
        save_credentials("nxt_ag_two", profile="other", path=path)
        kept = load_credentials(path=path)
        assert kept is not None
        assert kept["api_key"] == "nxt_ag_one"


def check_calls() -> None:
    """Call capabilities with the clients; a worker on a thread settles them."""
    from chaojiyuyan_client import AsyncNexusClient, NexusClient
    from chaojiyuyan_worker import Worker

    worker = Worker.from_env()

    @worker.handler("test.echo.v1")
    def echo(task: object) -> dict[str, object]:
        return dict(task.input)  # type: ignore[attr-defined]

    working = threading.Thread(target=worker.run, kwargs={"poll_interval": 0.2})
    working.start()
    try:
        with NexusClient.from_env() as client:
            assert client.run("test.echo.v1", {"text": "你好"}, timeout=30) == {"text": "你好"}

        async def call() -> object:
            async with AsyncNexusClient.from_env() as client:
                return await client.run("test.echo.v1", {"text": "hi"}, timeout=30)

        assert asyncio.run(call()) == {"text": "hi"}
        payload = ("--input", '{"text": "hi"}', "--wait", "--json")
        shown = command("call", "test.echo.v1", *payload)
        assert "succeeded" in shown, shown
    finally:
        worker.stop()
        working.join(30)


def check_command_line() -> None:
    """Run commands with and without requests to the platform."""
    assert "0." in command("version")
    assert "test.echo.v1" in command("capabilities")
    with tempfile.TemporaryDirectory() as folder:
        target = str(Path(folder, "mcp.json"))
        command("connect", "--api-key", "nxt_ag_smoke", "--target", target, "--yes", "--dry-run")


def command(*args: str) -> str:
    """Run ``chaojiyuyan``, which must succeed, and return its output."""
    run = [sys.executable, "-m", "chaojiyuyan_sdk.cli", *args]
    shown = subprocess.run(
        run, text=True, encoding="utf-8", capture_output=True, timeout=60, check=False
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    return shown.stdout


def check_mcp_server() -> None:
    """List the tools over MCP."""
    import mcp
    from mcp.client.stdio import StdioServerParameters, stdio_client

    server = StdioServerParameters(
        command=sys.executable, args=["-m", "chaojiyuyan_mcp"], env=dict(os.environ)
    )

    async def talk() -> int:
        async with stdio_client(server) as streams, mcp.ClientSession(*streams) as session:
            await session.initialize()
            return len((await session.list_tools()).tools)

    assert asyncio.run(asyncio.wait_for(talk(), 60)) == 8


def main() -> None:
    kernel = subprocess.Popen(
        [sys.executable, "-m", "chaojiyuyan_devserver", "--port", "0", "--ephemeral"],
        text=True,
        stdout=subprocess.PIPE,
    )
    assert kernel.stdout is not None
    try:
        os.environ["HEBING_BASE_URL"] = kernel.stdout.readline().strip()
        os.environ["CHAOJIYUYAN_API_KEY"] = kernel.stdout.readline().strip()
        os.environ["PYTHONUTF8"] = "1"
        checks = (check_credentials, check_calls, check_command_line, check_mcp_server)
        for check in checks:
            check()
            print(json.dumps({"passed": check.__name__}), flush=True)
    finally:
        kernel.terminate()
        kernel.wait(30)


if __name__ == "__main__":
    main()
