"""Webhooks to a real receiver: signed, retried, rotated, resent."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import queue
import socket
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from chaojiyuyan_devserver.testing import LocalKernel

ECHO = {"capability_key": "test.echo.v1"}


class Receiver:
    """Receives webhooks; answers with the given statuses, then with 200."""

    def __init__(self) -> None:
        self.got: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.statuses: list[int] = []
        self.url = ""
        self.open = threading.Event()  # responses wait for this event
        self.open.set()

    def next(self) -> tuple[str, bytes]:
        """Return the next signature and body."""
        return self.got.get(timeout=10)


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.open.wait(10)
            status = receiver.statuses.pop(0) if receiver.statuses else 200
            self.send_response(status)
            self.send_header("content-length", "0")
            self.send_header("location", receiver.url)
            self.end_headers()
            receiver.got.put((self.headers["x-kernel-signature"], body))

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield receiver
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def receiver(kernel: LocalKernel) -> Iterator[Receiver]:
    with receiving() as receiver:
        kernel.configure_webhook(receiver.url, "s3cret")
        yield receiver


def sign(secret: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def wait_for(what: Callable[[], bool], kernel: LocalKernel) -> None:
    """Poll the kernel until a condition holds: a try's result is stored after its response."""
    for _ in range(200):
        if what():
            return
        kernel.me()
    raise AssertionError("it never became so")


def call(client: httpx.Client) -> str:
    job_id: str = client.post("/kernel-jobs", json=ECHO).json()["data"]["id"]
    return job_id


def test_every_ended_job_sends_a_signed_webhook(
    kernel: LocalKernel, kernel_client: httpx.Client, receiver: Receiver
) -> None:
    ends: dict[str, Callable[[str], None]] = {
        "job.succeeded": lambda job: kernel.settle(job, {"ü": 1}),
        "job.failed": kernel.fail,
        "job.cancelled": kernel.cancel,
        "job.expired": lambda _: kernel.skip(600),
    }
    for event, end in ends.items():
        job_id = call(kernel_client)
        end(job_id)
        signature, body = receiver.next()
        assert signature == sign("s3cret", body)
        told = json.loads(body)
        assert (told["event"], told["job"]["id"]) == (event, job_id)
        assert told["job"] == kernel_client.get(f"/kernel-jobs/{job_id}").json()["data"]
        assert told["created_at"].endswith("Z")


def test_a_delivery_is_retried_with_backoff_until_accepted(
    kernel: LocalKernel, kernel_client: httpx.Client, receiver: Receiver
) -> None:
    receiver.statuses = [503, 302, 500]
    kernel.cancel(call(kernel_client))
    bodies = [receiver.next()[1]]
    for number, pause in enumerate((1, 5, 30), 1):
        wait_for(lambda n=number: len(kernel.deliveries()[0]["tries"]) == n, kernel)  # type: ignore[misc]
        kernel.skip(pause)
        bodies.append(receiver.next()[1])
    assert len(set(bodies)) == 1
    wait_for(lambda: kernel.deliveries()[0]["status"] == "delivered", kernel)
    assert [one["status"] for one in kernel.deliveries()[0]["tries"]] == [503, 302, 500, 200]


def test_it_gives_up_and_can_be_resent(
    kernel: LocalKernel, kernel_client: httpx.Client, receiver: Receiver
) -> None:
    receiver.statuses = [500] * 6
    job_id = call(kernel_client)
    kernel.cancel(job_id)
    for number in range(1, 7):
        receiver.next()
        wait_for(lambda n=number: len(kernel.deliveries()[0]["tries"]) == n, kernel)  # type: ignore[misc]
        kernel.skip(600)
    [lost] = kernel.deliveries()
    assert lost["status"] == "failed"
    [again] = kernel.trigger(lost["id"])
    assert receiver.next()[1].decode() == lost["body"]
    wait_for(lambda: kernel.deliveries()[0]["status"] == "delivered", kernel)
    assert kernel.deliveries()[0]["id"] == again["id"]
    kernel.trigger(job_id)
    assert receiver.next()[1].decode() == lost["body"]


def test_a_rotated_secret_signs_later_deliveries(
    kernel: LocalKernel, kernel_client: httpx.Client, receiver: Receiver
) -> None:
    kernel.rotate_webhook("n3w", grace=60)
    kernel.cancel(call(kernel_client))
    signature, body = receiver.next()
    assert signature == sign("n3w", body)


@pytest.mark.parametrize("event", ["job.succeeded", "job.failed", "job.cancelled", "job.expired"])
def test_a_sample_event_is_sent(kernel: LocalKernel, receiver: Receiver, event: str) -> None:
    [queued] = kernel.trigger(event)
    body = receiver.next()[1]
    assert json.loads(body)["event"] == queued["event"] == event
    assert kernel.balance()["held_nc"] == 0


def test_invalid_triggers_are_refused(kernel: LocalKernel) -> None:
    for what, complaint in (
        ("job.failed", "no webhook endpoint"),
        ("dlv_none", "Nothing was sent"),
    ):
        with pytest.raises(RuntimeError, match=complaint):
            kernel.trigger(what)


def test_many_deliveries_are_sent_with_limited_concurrency(
    kernel: LocalKernel, kernel_client: httpx.Client, receiver: Receiver
) -> None:
    receiver.open.clear()
    ids = {call(kernel_client) for _ in range(40)}
    for job_id in ids:
        kernel.cancel(job_id)
    receiver.open.set()
    assert {json.loads(receiver.next()[1])["job"]["id"] for _ in ids} == ids


@pytest.mark.skipif(sys.platform != "linux", reason="reads the processor time from /proc")
def test_a_receiver_that_does_not_answer_uses_little_cpu(
    kernel: LocalKernel, kernel_client: httpx.Client
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        kernel.configure_webhook(f"http://127.0.0.1:{deaf.getsockname()[1]}/", "s3cret")
        for _ in range(40):
            kernel.cancel(call(kernel_client))
        before = processor_time(kernel.pid)
        threading.Event().wait(1)  # the idle time that is measured
        assert processor_time(kernel.pid) - before < 0.3
        assert len(kernel.deliveries()) == 40
        kernel.reset()


def processor_time(pid: int) -> float:
    """Return the CPU time of a process in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_pending_deliveries_are_sent_after_a_crash(
    kernel_factory: Callable[..., LocalKernel],
) -> None:
    with receiving() as receiver:
        receiver.statuses = [503]
        kernel = kernel_factory()
        kernel.configure_webhook(receiver.url, "s3cret")
        with kernel.client() as client:
            job_id = call(client)
        kernel.cancel(job_id)
        receiver.next()
        kernel.kill()
        kernel.start()
        signature, body = receiver.next()
        assert signature == sign("s3cret", body)
        assert json.loads(body)["job"]["id"] == job_id


def test_an_endless_response_is_not_read(kernel: LocalKernel, kernel_client: httpx.Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()[:2]
        kernel.configure_webhook(f"http://{host}:{port}/hook", "s3cret")
        kernel.cancel(call(kernel_client))
        connection = listener.accept()[0]
        connection.settimeout(10)
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n")
        sent = 0
        with pytest.raises(ConnectionError):
            while sent < 100_000_000:  # more than the socket buffers can hold
                sent += connection.send(b"\0" * 65536)
        connection.close()
    [delivery] = kernel.deliveries()
    assert (delivery["status"], delivery["tries"][0]["status"]) == ("delivered", 200)
