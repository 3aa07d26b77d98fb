"""A client of the mcp 1.x library, which most clients use today, in a separate venv."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.mcp_server import clean_environment, reach

if TYPE_CHECKING:
    from chaojiyuyan_devserver.testing import LocalKernel

REQUIREMENT = "mcp==1.30.0"
HOME = Path(__file__).parents[2] / ".hatch" / "peers" / "mcp1"

PROGRAM = """
import asyncio, json, sys
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

async def main(command, key):
    server = StdioServerParameters(command=command, args=["-m", "chaojiyuyan_mcp"], env=ENV)
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        greeting = await session.initialize()
        tools = (await session.list_tools()).tools

        async def call(name, **arguments):
            result = await session.call_tool(name, arguments)
            return result.structuredContent if not result.isError else result.content[0].text

        job = await call("kernel_create_job", capability_key=key, input_payload={"n": 1})
        await call("kernel_register_capability_handler", capability_keys=[key])
        claim = await call("kernel_claim_job")
        submit = await call("kernel_submit_job", job_id=job["id"], output_envelope={"n": 2})
        done = await call("kernel_wait_for_job", job_id=job["id"])
        bad = await call("kernel_get_job", job_id="..")
        print(json.dumps([greeting.serverInfo.name, len(tools), claim, submit, done, bad]))

ENV = json.loads(sys.stdin.read())
asyncio.run(main(sys.argv[1], "test.echo.v1"))
"""


@pytest.fixture(scope="module")
def python() -> Path:
    """Return the Python of a venv with the 1.x library, which is created on first use."""
    python = HOME / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    ready = HOME / ".ready"
    if not ready.exists() or ready.read_text() != REQUIREMENT:
        venv.create(HOME, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "--quiet", REQUIREMENT]
        done = subprocess.run(install, capture_output=True, text=True, timeout=110)
        if done.returncode:
            pytest.skip(f"{REQUIREMENT} is out of reach: {done.stderr.strip()[-200:]}")
        ready.write_text(REQUIREMENT)
    return python


def test_the_whole_chains(python: Path, kernel: LocalKernel, tmp_path: Path) -> None:
    environment = clean_environment(tmp_path)
    done = subprocess.run(
        [str(python), "-c", PROGRAM, sys.executable],
        input=json.dumps({**environment, **reach(kernel)}),
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    name, count, claim, submit, job, bad = json.loads(done.stdout)
    assert (name, count) == ("chaojiyuyan", 8)
    assert claim["claimed"]
    assert submit["submitted"]
    assert job["output_envelope"] == {"n": 2}
    assert "bad_arguments" in bad
