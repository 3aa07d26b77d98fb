"""The client stays usable after cancelled tasks, on asyncio and on trio."""

from __future__ import annotations

import asyncio
import gc
import random
import warnings
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from chaojiyuyan_client import AsyncJob, AsyncNexusClient
from chaojiyuyan_core import api
from chaojiyuyan_core.http import AsyncTransport, RequestBuilder

ANSWER = b'{"data":{"id":"j1","status":"queued"}}'


async def answer_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Respond to each request in two parts, each after a random delay."""
    try:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            for part in (b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(ANSWER), ANSWER):
                await asyncio.sleep(random.random() / 500)
                writer.write(part)
                await writer.drain()
    except (OSError, EOFError):
        pass
    finally:
        writer.close()


def descriptors() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def test_a_thousand_cancellations_leave_every_connection_usable() -> None:
    async def main() -> None:
        server = await asyncio.start_server(answer_late, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        builder = RequestBuilder("nxt_ag_key", f"http://127.0.0.1:{port}", timeout=5)
        transport = AsyncTransport(builder, max_connections=10)
        assert (await transport.send(api.get_job("j1"))).is_success
        before = descriptors()
        gc.disable()  # it would close connections that were left open
        cancelled = 0
        for _ in range(50):
            tasks = [asyncio.create_task(transport.send(api.get_job("j1"))) for _ in range(20)]
            for task in tasks:
                asyncio.get_running_loop().call_later(random.random() / 125, task.cancel)
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            cancelled += sum(isinstance(each, asyncio.CancelledError) for each in ended)
        assert cancelled > 200
        replies = await asyncio.gather(*(transport.send(api.get_job("j1")) for _ in range(40)))
        assert all(reply.is_success for reply in replies)
        # Both ends of each of the ten connections.
        assert descriptors() <= before + 20
        await transport.close()
        server.close()
        await server.wait_closed()

    try:
        asyncio.run(main())
    finally:
        gc.enable()


def test_a_cancelled_wait_for_a_connection_wakes_the_next() -> None:
    async def main() -> None:
        server = await asyncio.start_server(answer_late, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        builder = RequestBuilder("nxt_ag_key", f"http://127.0.0.1:{port}", timeout=5)
        transport = AsyncTransport(builder, max_connections=1)
        tasks = [asyncio.create_task(transport.send(api.get_job("j1"))) for _ in range(9)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(reply.is_success for reply in ended[1::2])  # type: ignore[union-attr]
        await transport.close()
        server.close()
        await server.wait_closed()

    asyncio.run(main())


def test_one_client_serves_one_event_loop_after_another(kernel: Any, agent: Any) -> None:
    client = AsyncNexusClient(agent.api_key, kernel.base_url)

    async def use() -> None:
        assert (await client.call("test.echo.v1", {})).status == "bidding"

    with warnings.catch_warnings():
        # asyncio warns about each connection that is open when its loop closes.
        warnings.simplefilter("ignore", ResourceWarning)
        for _ in range(3):
            asyncio.run(use())
        asyncio.run(client.close())
        gc.collect()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_async_client_runs_on_asyncio_and_on_trio(
    kernel: Any, agent: Any, tmp_path: Path, backend: str
) -> None:
    told: list[str] = []
    followed: list[str] = []

    async def main() -> None:
        async with AsyncNexusClient(agent.api_key, kernel.base_url) as client:
            job = await client.call("test.echo.v1", {"text": "hi"})
            async with anyio.create_task_group() as group:
                group.start_soon(settle, job.id)
                group.start_soon(follow, job)
                done = await job.wait(timeout=30, on_update=lambda job: told.append(job.status))
            assert await done.result() == {"text": "HI"}
            path = await client.download(done.artifacts[0], tmp_path / "file")
            assert path.read_bytes() == b"{}"
            assert [listed.id async for listed in client.jobs()] == [job.id]
            with anyio.move_on_after(0.3) as scope:
                await client.wait((await client.call("test.echo.v1", {})).id, timeout=30)
            assert scope.cancelled_caught
            assert await client.capabilities()

    async def follow(job: AsyncJob) -> None:
        followed.extend([event["event_type"] async for event in job.follow(timeout=30)])

    async def settle(job_id: str) -> None:
        await anyio.sleep(0.3)
        artifact = {"kind": "json", "artifact_uri": "data:,%7B%7D", "size_bytes": 2}
        await anyio.to_thread.run_sync(kernel.settle, job_id, {"text": "HI"}, [artifact])

    anyio.run(main, backend=backend)
    assert told[-1] == "succeeded"
    assert len(followed) > 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_fault_on_the_wire_is_the_same_on_both(backend: str) -> None:
    async def main() -> None:
        client = AsyncNexusClient("nxt_ag_key", "http://127.0.0.1:1", max_retries=0)
        with pytest.raises(httpx.ConnectError):
            await client.capabilities()
        await client.close()

    anyio.run(main, backend=backend)
