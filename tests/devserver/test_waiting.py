"""``Prefer: wait``: answered at the event or after the wait, and idle in between."""

from __future__ import annotations

import http.client
import os
import socket
import statistics
import sys
import threading
import time
from concurrent.futures import (
    ThreadPoolExecutor,
    TimeoutError as NotYet,  # the built-in TimeoutError since Python 3.11
)
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from chaojiyuyan_devserver.testing import LocalKernel

ECHO = {"capability_key": "test.echo.v1"}
WAIT = {"Prefer": "wait=30"}


def register(client: httpx.Client) -> None:
    client.post("/kernel-agents/me/capabilities", json={"capability_keys": ["test.echo.v1"]})


def held(kernel: LocalKernel, path: str, wait: int = 30) -> socket.socket:
    """Return a connection on which a waiting request was sent."""
    url = urlsplit(kernel.base_url)
    connection = socket.create_connection((url.hostname or "", url.port or 0))
    connection.sendall(
        f"GET {url.path}{path} HTTP/1.1\r\nHost: {url.netloc}\r\nPrefer: wait={wait}\r\n"
        f"Authorization: Bearer {kernel.api_key}\r\n\r\n".encode()
    )
    return connection


def answer_of(connection: socket.socket) -> bytes:
    """Return the complete response on a connection."""
    connection.settimeout(10)
    answer = b""
    while not answer.endswith((b"]}}", b"}}]}")):
        answer += connection.recv(65536)
    return answer


def let_it_read(client: httpx.Client) -> None:
    """Return when the kernel has read what was sent before, since it serves sockets in turn."""
    for _ in range(5):
        client.get("/kernel-jobs")


def test_the_poll_is_answered_when_a_job_comes(
    kernel: LocalKernel, kernel_client: httpx.Client
) -> None:
    register(kernel_client)
    with ThreadPoolExecutor() as threads, kernel.client() as caller:
        poll = threads.submit(kernel_client.get, "/kernel-jobs/available", headers=WAIT)
        with pytest.raises(NotYet):
            poll.result(0.2)
        made = caller.post("/kernel-jobs", json=ECHO).json()["data"]
        answer = poll.result(10)
    assert answer.headers["preference-applied"] == "wait=30"
    assert [job["job_id"] for job in answer.json()["data"]["jobs"]] == [made["id"]]


def test_the_job_is_answered_when_it_ends(kernel: LocalKernel, kernel_client: httpx.Client) -> None:
    job_id = kernel_client.post("/kernel-jobs", json=ECHO).json()["data"]["id"]
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(kernel_client.get, f"/kernel-jobs/{job_id}", headers=WAIT)
        with pytest.raises(NotYet):
            waiting.result(0.2)
        kernel.settle(job_id, {"done": True})
        job = waiting.result(10).json()["data"]
    assert (job["status"], job["output_envelope"]) == ("succeeded", {"done": True})


def test_moving_the_clock_wakes_waiting_requests(
    kernel: LocalKernel, kernel_client: httpx.Client
) -> None:
    register(kernel_client)
    job_id = kernel_client.post("/kernel-jobs", json=ECHO).json()["data"]["id"]
    kernel_client.post(f"/kernel-jobs/{job_id}/bid", json={})
    with ThreadPoolExecutor() as threads:
        poll = threads.submit(kernel_client.get, "/kernel-jobs/available", headers=WAIT)
        with pytest.raises(NotYet):
            poll.result(0.2)
        kernel.skip(30)
        [offer] = poll.result(10).json()["data"]["jobs"]
    assert offer["job_id"] == job_id


def test_the_wait_ends_without_an_event(kernel_client: httpx.Client) -> None:
    register(kernel_client)
    job_id = kernel_client.post("/kernel-jobs", json={"capability_key": "media.echo.v1"})
    for path in ("/kernel-jobs/available", f"/kernel-jobs/{job_id.json()['data']['id']}"):
        start = time.monotonic()
        answer = kernel_client.get(path, headers={"Prefer": "respond-async, wait=1"})
        assert answer.status_code == 200
        assert answer.headers["preference-applied"] == "wait=1"
        assert time.monotonic() - start >= 0.99


def test_without_prefer_wait_the_response_is_immediate(kernel_client: httpx.Client) -> None:
    register(kernel_client)
    answer = kernel_client.get("/kernel-jobs/available", headers={"Prefer": "wait=soon"})
    assert answer.json()["data"] == {"jobs": []}
    assert "preference-applied" not in answer.headers


def test_stopping_answers_waiting_requests(kernel_factory: Callable[..., LocalKernel]) -> None:
    kernel = kernel_factory(ephemeral=True)
    with kernel.client() as client:
        register(client)
        polls = [held(kernel, "/kernel-jobs/available") for _ in range(5)]
        let_it_read(client)
        start = time.monotonic()
        assert kernel.stop() == 0
        assert time.monotonic() - start < 3  # one second, plus time for a busy machine
    for poll in polls:
        assert poll.recv(4096).startswith(b"HTTP/1.1 200 OK")
        poll.close()


@pytest.mark.skipif(sys.platform != "linux", reason="reads the processor time from /proc")
def test_two_hundred_waiting_connections_use_little_cpu(
    kernel: LocalKernel, kernel_client: httpx.Client
) -> None:
    register(kernel_client)
    polls = [held(kernel, "/kernel-jobs/available") for _ in range(200)]
    let_it_read(kernel_client)
    before = _processor_time(kernel.pid)
    threading.Event().wait(1)  # the idle time that is measured
    assert _processor_time(kernel.pid) - before < 0.1
    kernel_client.post("/kernel-jobs", json=ECHO)
    for poll in polls:
        assert b'"jobs":[{' in answer_of(poll)
        poll.close()


def test_the_response_follows_the_event_immediately(
    kernel: LocalKernel, kernel_client: httpx.Client
) -> None:
    register(kernel_client)
    url = urlsplit(kernel.base_url)
    late: list[float] = []
    caller = http.client.HTTPConnection(url.netloc)
    for _ in range(15):
        poll = held(kernel, "/kernel-jobs/available")
        let_it_read(kernel_client)
        caller.request(
            "POST",
            f"{url.path}/kernel-jobs",
            b'{"capability_key":"test.echo.v1"}',
            {"Authorization": f"Bearer {kernel.api_key}", "Content-Type": "application/json"},
        )
        made = caller.getresponse()
        made.read()
        start = time.perf_counter()
        answer = answer_of(poll)
        late.append(time.perf_counter() - start)
        poll.close()
        job_id = answer.split(b'"job_id":"')[1].split(b'"')[0].decode()
        kernel.cancel(job_id)
    caller.close()
    assert statistics.median(late) < 0.01


def _processor_time(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
