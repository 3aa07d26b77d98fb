"""The local kernel: settled jobs over HTTP, empty and with 100,000 finished jobs in its database.

A job is four requests: call, bid, submit, read. The server runs on one core and only its CPU time
is counted, not that of the load generator or of other processes. The floor is the same HTTP server
with constant responses to the same requests.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .method import Row, in_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


JOBS = 1500
CONNECTIONS = 16
FINISHED = 100_000
ROUNDS = 3
CAPABILITY = "test.echo.v1"
FLOOR = """
import asyncio, socket, sys, uvicorn
BODY = b'{"data":{"id":"job_00000000000000000000000000000000","accepted":true,"settled":true}}'
HEAD = [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]
async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEAD})
    await send({"type": "http.response.body", "body": BODY})
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
listener.bind(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
config = uvicorn.Config(app, access_log=False, log_level="error", lifespan="off")
asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))
"""


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder, _floor() as floor:
        full = Path(folder, "full")
        _fill(full)
        with _kernel(Path(folder, "empty")) as empty, _kernel(full) as filled:
            figures = in_turn({"empty": empty, "filled": filled, "floor": floor}, ROUNDS)
    name = "settled jobs per second of one core"
    return [
        Row(name, figures["empty"], 300, "goal", ">= 1.0"),
        Row(name, figures["empty"], 1000, "aim"),
        Row(name, figures["empty"], figures["floor"], "floor: uvicorn, empty answers"),
        Row(
            f"the same with {FINISHED:,} finished jobs",
            figures["filled"],
            figures["empty"],
            "an empty database",
            ">= 0.8",
        ),
    ]


@contextmanager
def _kernel(folder: Path) -> Iterator[Callable[[], float]]:
    from chaojiyuyan_devserver.testing import LocalKernel

    with LocalKernel(folder) as kernel:
        with kernel.client() as client:
            body = {"capability_keys": [CAPABILITY]}
            client.post("/kernel-agents/me/capabilities", json=body).raise_for_status()
        yield lambda: _load(kernel.pid, kernel.base_url, kernel.api_key)


@contextmanager
def _floor() -> Iterator[Callable[[], float]]:
    command = [sys.executable, "-c", FLOOR]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        base_url = f"http://127.0.0.1:{process.stdout.readline().strip()}/api/v1"
        try:
            yield lambda: _load(process.pid, base_url, "nxt_ag_00000000000000000000000000000000")
        finally:
            process.terminate()


def _load(pid: int, base_url: str, api_key: str) -> float:
    """Settle jobs, and return how many per second of the server's CPU time."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(pid, {0})
    before = _processor_time(pid)
    # the key is passed in the environment, because other users can read arguments
    subprocess.run(
        [sys.executable, "-m", "benchmarks.kernel", base_url],
        check=True,
        env={**os.environ, "BENCH_KEY": api_key},
        cwd=Path(__file__).parents[1],
        timeout=300,
    )
    return JOBS / (_processor_time(pid) - before)


def _processor_time(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _fill(folder: Path) -> None:
    """Create a kernel's database with many finished jobs, with the kernel's operations."""
    from chaojiyuyan_devserver._catalog_files import load_builtin
    from chaojiyuyan_devserver._folder import Folder
    from chaojiyuyan_devserver._ids import new_id
    from chaojiyuyan_devserver._store.store import Store
    from chaojiyuyan_devserver.kernel import Catalog, Kernel, Order, Result

    kernel = Kernel(Catalog(load_builtin()), clock=time.time, new_id=new_id)
    account = kernel.open_account("filler", FINISHED)
    agent, _ = kernel.create_agent(account.id, "filler")
    kernel.register(agent, [CAPABILITY])
    home = Folder(folder)
    home.make()
    store = Store(home.database)
    for number in range(FINISHED):
        payload = {"text": "x" * 100}
        order = Order(CAPABILITY, payload, idempotency_key=str(number))
        job = kernel.jobs.create(agent, order)
        kernel.jobs.bid(agent, job)
        kernel.jobs.submit(agent, job, Result({"a": 1}))
        kernel.jobs.board.remove(job)
        if number % 500 == 499:
            store.write(kernel.take_changes())
    store.write(kernel.take_changes())
    store.close()


async def _settle_jobs(base_url: str, api_key: str) -> None:
    url = urlsplit(base_url)
    numbers = itertools.count()
    start = time.time_ns()

    async def connection() -> None:
        reader, writer = await asyncio.open_connection(url.hostname, url.port)

        async def ask(method: str, path: str, body: object = None) -> dict[str, object]:
            content = b"" if body is None else json.dumps(body).encode()
            writer.write(
                f"{method} {url.path}{path} HTTP/1.1\r\nHost: {url.netloc}\r\n"
                f"Authorization: Bearer {api_key}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(content)}\r\n\r\n".encode()
                + content
            )
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
            data: dict[str, object] = json.loads(await reader.readexactly(int(length)))["data"]
            return data

        while (number := next(numbers)) < JOBS:
            call = {
                "capability_key": CAPABILITY,
                "input_payload": {"text": "x" * 100},
                "idempotency_key": f"{start}-{number}",
            }
            job = await ask("POST", "/kernel-jobs", call)
            path = f"/kernel-jobs/{job['id']}"
            assert (await ask("POST", f"{path}/bid", {}))["accepted"]
            assert (await ask("POST", f"{path}/submit", {"output_envelope": {"a": 1}}))["settled"]
            await ask("GET", path)
        writer.close()

    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))


if __name__ == "__main__":
    asyncio.run(_settle_jobs(sys.argv[1], os.environ["BENCH_KEY"]))
