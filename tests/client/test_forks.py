"""A client that was used before a fork serves each child with its own jobs only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")

COMMON = """
import asyncio, os, random, sys, threading
from chaojiyuyan_client import AsyncNexusClient, NexusClient
from support.hostile import hostile

def echo(peer):
    while True:
        job_id = peer.read_request().split(b" ")[1].rpartition(b"/")[2]
        peer.answer(b'{"data":{"id":"%s","status":"queued"}}' % job_id)

def all_well(children):
    for child in children:
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0

def in_child(serve):
    child = os.fork()
    if child:
        return child
    try:
        serve()
    except BaseException as error:
        print(repr(error), file=sys.stderr)
        os._exit(1)
    os._exit(0)
"""

SYNC = """
def serve(name):
    for n in range(40):
        assert client.get_job(f"{name}-{n}").id == f"{name}-{n}"

with hostile(echo) as server, NexusClient("nxt_ag_key", server.url, max_retries=0) as client:
    serve("parent")
    children = [in_child(lambda: serve(f"child{n}")) for n in range(4)]
    serve("parent")
    all_well(children)
    # Threads of the parent run during the fork, so one of them may hold a lock.
    busy = [threading.Thread(target=serve, args=(f"thread{n}",)) for n in range(4)]
    for thread in busy: thread.start()
    children = [in_child(lambda: serve(f"child{n}")) for n in range(4)]
    for thread in busy: thread.join()
    all_well(children)
"""

ASYNC = """
async def serve(name):
    ids = [f"{name}-{n}" for n in range(40)]
    jobs = await asyncio.gather(*map(client.get_job, ids[:5]))
    for job_id in ids[5:]:
        jobs.append(await client.get_job(job_id))
    assert [job.id for job in jobs] == ids

async def main():
    await serve("parent")
    children = [in_child(lambda: asyncio.run(serve(f"child{n}"))) for n in range(4)]
    await serve("parent")
    await asyncio.to_thread(all_well, children)
    await serve("parent")
    await client.close()

with hostile(echo) as server:
    client = AsyncNexusClient("nxt_ag_key", server.url, max_retries=0)
    asyncio.run(main())
"""


@pytest.mark.parametrize("script", [SYNC, ASYNC], ids=["sync", "async"])
def test_forked_children_get_their_own_jobs(script: str) -> None:
    # Newer versions of Python warn about a fork with threads, which this test needs.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", COMMON + script]
    tests = str(Path(__file__).parents[1])
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": tests}
    )
    assert (done.returncode, done.stderr) == (0, "")
