"""A minimal platform for a caller's requests: each job settles after the time in its input.

``python settling_server.py [--prefer]`` prints its base URL and serves until its standard input
ends. A job with the input ``{"settle": 0.5}`` succeeds half a second after it was posted. Its
output contains that time, on the machine's monotonic clock, and the number of requests for the job.
With ``--prefer``, the server waits until then with its response (RFC 7240).
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from dataclasses import dataclass
from itertools import count


@dataclass
class Job:
    """A job, and the number of requests for it."""

    id: str
    settles: float
    requests: int = 0

    def seen(self) -> dict[str, object]:
        fields: dict[str, object] = {"id": self.id, "capability_key": "bench.v1", "price_nc": 1}
        if time.monotonic() < self.settles:
            return {**fields, "status": "running", "attempts": [], "artifacts": []}
        output = {"settled": self.settles, "requests": self.requests}
        return {**fields, "status": "succeeded", "output_envelope": output, "artifacts": []}


class Platform:
    """All jobs."""

    def __init__(self, prefer: bool) -> None:
        self.prefer = prefer
        self.jobs: dict[str, Job] = {}
        self.numbers = count(1)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lowered = head.lower()
                _, found, length = lowered.partition(b"content-length:")
                body = await reader.readexactly(int(length.split(b"\r\n")[0])) if found else b""
                job, extra = await self.answer(head.split(b" ", 2)[1], body, b"prefer:" in lowered)
                text = json.dumps({"data": job.seen()}).encode()
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%b"
                    b"Content-Length: %d\r\n\r\n%b" % (extra, len(text), text)
                )
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def answer(self, path: bytes, body: bytes, prefers: bool) -> tuple[Job, bytes]:
        if body:
            asked = json.loads(body)["input_payload"]
            job = Job(f"job-{next(self.numbers)}", time.monotonic() + asked.get("settle", 0))
            self.jobs[job.id] = job
            return job, b""
        job = self.jobs[path.rsplit(b"/", 1)[1].decode()]
        job.requests += 1
        if not (prefers and self.prefer):
            return job, b""
        await asyncio.sleep(job.settles - time.monotonic())
        return job, b"Preference-Applied: wait=30\r\n"


async def main(prefer: bool) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # for a thousand clients at once
    server = await asyncio.start_server(Platform(prefer).serve, "127.0.0.1", 0, backlog=1000)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/v1", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main("--prefer" in sys.argv))
