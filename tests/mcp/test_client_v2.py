"""Orders and claims with the client of the mcp 2.x library, in both protocol eras."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.types import TextContent

from support.mcp_server import clean_environment, reach

if TYPE_CHECKING:
    from pathlib import Path

    from mcp.client.client import ConnectMode

    from chaojiyuyan_devserver.testing import LocalKernel


@pytest.fixture(params=["legacy", "auto"])
def era(request: pytest.FixtureRequest) -> ConnectMode:
    chosen: ConnectMode = request.param
    return chosen


def server_of(kernel: LocalKernel, home: Path) -> StdioServerParameters:
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "chaojiyuyan_mcp"],
        env=clean_environment(home, **reach(kernel)),
    )


async def data(client: Client, tool: str, **arguments: object) -> dict[str, Any]:
    """Call a tool. The client checks the result against the output schema."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    structured: dict[str, Any] = result.structured_content or {}
    return structured


def test_the_whole_chains(kernel: LocalKernel, tmp_path: Path, era: ConnectMode) -> None:
    async def chain() -> None:
        async with Client(server_of(kernel, tmp_path), mode=era) as client:
            assert client.protocol_version == ("2025-11-25" if era == "legacy" else "2026-07-28")
            assert "kernel_create_job" in (client.instructions or "")
            listed = (await client.list_tools()).tools
            assert len(listed) == 8
            assert all(tool.output_schema and tool.annotations for tool in listed)

            catalog = await data(client, "kernel_list_capabilities", category="test")
            key = catalog["capabilities"][0]["capability_key"]
            order = {"capability_key": key, "input_payload": {"n": 1}}
            job_id = (await data(client, "kernel_create_job", **order))["id"]
            waiting = asyncio.create_task(data(client, "kernel_wait_for_job", job_id=job_id))
            await data(client, "kernel_register_capability_handler", capability_keys=[key])
            assert (await data(client, "kernel_claim_job"))["job"]["job_id"] == job_id
            output = {"job_id": job_id, "output_envelope": {"n": 2}}
            assert (await data(client, "kernel_submit_job", **output))["submitted"]
            assert (await waiting)["output_envelope"] == {"n": 2}
            assert (await data(client, "kernel_get_job", job_id=job_id))["status"] == "succeeded"
            assert (await data(client, "kernel_list_artifacts", job_id=job_id))["artifacts"] == []

            result = await client.call_tool("kernel_get_job", {"job_id": ".."})
            assert result.is_error
            (content,) = result.content
            assert isinstance(content, TextContent)
            assert "bad_arguments" in content.text

    asyncio.run(chain())


def test_progress_reaches_the_client(kernel: LocalKernel, tmp_path: Path, era: ConnectMode) -> None:
    told: list[str] = []

    async def chain() -> None:
        begun = asyncio.Event()

        async def progress(_: float, __: float | None, message: str | None) -> None:
            told.append(message or "")
            begun.set()

        async with Client(server_of(kernel, tmp_path), mode=era) as client:
            order = {"capability_key": "test.echo.v1", "input_payload": {}}
            job_id = (await data(client, "kernel_create_job", **order))["id"]
            call = client.call_tool(
                "kernel_wait_for_job", {"job_id": job_id}, progress_callback=progress
            )
            waiting = asyncio.create_task(call)
            await begun.wait()
            kernel.settle(job_id, {"done": True})
            structured = (await waiting).structured_content
            assert structured is not None
            assert structured["output_envelope"] == {"done": True}

    asyncio.run(chain())
    assert told[0] == "waiting, 0 s"
