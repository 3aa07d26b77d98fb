"""A minimal kernel for a worker's requests: in memory, on asyncio protocols.

It has no leases and checks nothing, so that a benchmark measures the worker and not the server.
``python bare_server.py [--prefer]`` prints its base URL and serves until its standard input ends.

Apart from the worker's endpoints: ``POST /_backlog`` with a number creates that many jobs,
``POST /_job`` creates one, ``GET /_stats`` returns counts of requests and the seconds from each job
to its award, and ``POST /_reset`` deletes all jobs and counts.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from email.utils import formatdate

MAX_ROWS = 50
LEASE = 30


class State:
    """The jobs, and the polls that wait for one."""

    def __init__(self, prefer: bool) -> None:
        self.prefer = prefer
        self.reset()

    def reset(self) -> None:
        self.made = 0
        self.open: dict[str, float] = {}
        self.requests: Counter[str] = Counter()
        self.pickups: list[float] = []
        self.settled = 0
        self.first_request = self.last_settled = 0.0
        self.waiting: list[Connection] = []

    def make(self, count: int) -> None:
        now = time.monotonic()
        for _ in range(count):
            self.made += 1
            self.open[f"job-{self.made}"] = now
        waiting, self.waiting = self.waiting, []
        for connection in waiting:
            connection.offer()

    def page(self, limit: int) -> bytes:
        rows: list[str] = []
        for job_id in self.open:
            rows.append(
                f'{{"job_id":"{job_id}","capability_key":"bench.noop","max_budget_nc":1,'
                f'"bid_expires_at":"{stamp(600)}","input_envelope":{{"n":1}}}}'
            )
            if len(rows) >= limit:
                break
        return f'{{"data":{{"jobs":[{",".join(rows)}]}}}}'.encode()

    def bid(self, job_id: str) -> bytes:
        made = self.open.pop(job_id, None)
        if made is None:
            return b'{"data":{"accepted":false,"code":"already_awarded"}}'
        self.pickups.append(time.monotonic() - made)
        return (
            f'{{"data":{{"accepted":true,"task_run_id":"run-{job_id}",'
            f'"lease_expires_at":"{stamp(LEASE)}"}}}}'
        ).encode()

    def submit(self) -> bytes:
        self.settled += 1
        self.last_settled = time.monotonic()
        return b'{"data":{"settled":true,"payout_nc":1,"job_status":"succeeded"}}'

    def stats(self) -> bytes:
        return json.dumps(
            {
                "requests": self.requests,
                "settled": self.settled,
                "seconds": self.last_settled - self.first_request,
                "pickups": self.pickups,
                "cpu": time.process_time(),
            }
        ).encode()


_stamped: tuple[int, dict[int, str], bytes] = (0, {}, b"")


def stamp(ahead: int) -> str:
    return _now()[1][ahead]


def _now() -> tuple[int, dict[int, str], bytes]:
    """Return the current time, formatted once a second."""
    global _stamped
    second = int(time.time())
    if second != _stamped[0]:
        texts = {
            ahead: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second + ahead))
            for ahead in (LEASE, 600)
        }
        _stamped = (second, texts, formatdate(second, usegmt=True).encode())
    return _stamped


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests come one at a time."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.buffer = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, _exc: Exception | None) -> None:
        self.transport = None

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while True:
            head, separator, rest = self.buffer.partition(b"\r\n\r\n")
            if not separator:
                return
            lowered = head.lower()
            at = lowered.find(b"content-length:")
            length = int(lowered[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(rest) < length:
                return
            self.buffer = rest[length:]
            path = head.split(b" ", 2)[1].decode()
            self.answer(path, rest[:length], b"\r\nprefer:" in lowered)

    def answer(self, path: str, body: bytes, prefers: bool) -> None:
        state = self.state
        if path.startswith("/_"):
            self.steer(path, body)
            return
        parts = path.partition("?")[0].rsplit("/", 2)
        name = parts[-1]
        state.requests[name] += 1
        if not state.first_request:
            state.first_request = time.monotonic()
        if name == "bid":
            self.send(state.bid(parts[1]))
        elif name == "submit":
            self.send(state.submit())
        elif name == "available":
            if prefers and state.prefer and not state.open:
                state.waiting.append(self)
            else:
                limit = path.partition("limit=")[2].partition("&")[0]
                self.send(state.page(int(limit or MAX_ROWS)))
        elif name == "capabilities":
            self.send(b'{"data":{"registered":["bench.noop"],"skipped_unknown":[]}}')
        else:
            self.send(f'{{"data":{{"lease_expires_at":"{stamp(LEASE)}"}}}}'.encode())

    def offer(self) -> None:
        """Answer a waiting poll."""
        self.send(self.state.page(MAX_ROWS), b"Preference-Applied: wait=20\r\n")

    def steer(self, path: str, body: bytes) -> None:
        if path == "/_stats":
            self.send(self.state.stats())
            return
        if path == "/_reset":
            self.state.reset()
        elif path == "/_backlog":
            self.state.make(int(body))
        elif path == "/_job":
            self.state.make(1)
        self.send(b"{}")

    def send(self, body: bytes, headers: bytes = b"") -> None:
        if self.transport is not None:
            self.transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: %b\r\n%b"
                b"Content-Length: %d\r\n\r\n%b" % (_now()[2], headers, len(body), body)
            )


async def serve(prefer: bool) -> None:
    loop = asyncio.get_running_loop()
    state = State(prefer)
    server = await loop.create_server(lambda: Connection(state), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve("--prefer" in sys.argv))
