"""`listen` posts signed events of real jobs to a local address, at least once each."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from chaojiyuyan_cli._listen.delivery import DELAYS, Delivery, Outbox
from chaojiyuyan_cli._listen.follower import OPEN_STATUSES, JobFollower
from chaojiyuyan_cli.listener import Listener, check_target
from chaojiyuyan_client import NexusClient
from chaojiyuyan_core.webhooks import unwrap_webhook
from support.command_line import finish, interrupt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaojiyuyan_devserver.testing import LocalKernel
    from support.command_line import Cli

CAP = "test.echo.v1"
SECRET = "whsec_of_the_test"


class Receiver(ThreadingHTTPServer):
    """A developer's server, which records the events that it receives."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Hook)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hook"
        self.events: Queue[tuple[dict[str, str], bytes]] = Queue()
        self.statuses: list[int] = []  # of the next responses; 200 when it is empty


class _Hook(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        if status == 200:
            self.server.events.put((dict(self.headers), body))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def client(kernel: LocalKernel) -> Iterator[NexusClient]:
    with NexusClient(kernel.api_key, kernel.base_url) as client:
        yield client


# --- as a library --------------------------------------------------------------------------------


def test_the_event_of_a_job_is_signed_and_delivered(
    kernel: LocalKernel, client: NexusClient, receiver: Receiver
) -> None:
    before = client.call(CAP, {})
    kernel.settle(before.id, {})
    running = client.call(CAP, {"n": 1})
    with Listener(client, receiver.url, secret=SECRET, interval=0.05) as listener:
        new = client.call(CAP, {"n": 2})
        kernel.settle(running.id, {"text": "ü"})
        kernel.fail(new.id, code="too_big")
        assert listener.wait_for(running.id).delivered
        assert listener.wait_for(new.id).event == "job.failed"
    events = [receiver.events.get(timeout=5) for _ in range(2)]
    assert receiver.events.empty()
    unwrapped = {}
    for headers, body in events:
        event = unwrap_webhook(body, headers, SECRET, tolerance=60)
        unwrapped[event["job"]["id"]] = event
    assert unwrapped[running.id]["event"] == "job.succeeded"
    assert unwrapped[running.id]["job"]["output_envelope"] == {"text": "ü"}
    assert unwrapped[new.id]["job"]["error_code"] == "too_big"


def test_only_the_selected_events_are_posted(
    kernel: LocalKernel, client: NexusClient, receiver: Receiver
) -> None:
    with Listener(client, receiver.url, events=["job.failed"], interval=0.05) as listener:
        first, second = client.call(CAP, {}), client.call(CAP, {})
        kernel.settle(first.id, {})
        kernel.fail(second.id)
        assert listener.wait_for(second.id).delivered
    assert receiver.events.qsize() == 1
    assert listener.secret.startswith("whsec_")


class HangingClient:
    """A client whose platform does not respond after the start of the listener."""

    def __init__(self) -> None:
        self.hangs, self.end = threading.Event(), threading.Event()
        self._requests = 0

    def jobs(self, **_: object) -> list[object]:
        self._requests += 1
        if self._requests > len(OPEN_STATUSES) + 1:
            self.hangs.set()
            self.end.wait(20)
            raise httpx.ReadTimeout("too late")
        return []


def test_closing_does_not_wait_for_a_platform_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chaojiyuyan_cli.listener.CLOSE_TIMEOUT", 0.05)
    client, faults = HangingClient(), list[Exception]()
    before = set(threading.enumerate())
    listener = Listener(client, "127.0.0.1:9", interval=0.01, on_fault=faults.append)  # type: ignore[arg-type]
    with listener:
        assert client.hangs.wait(10)
    client.end.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    assert faults == []


def test_a_failed_delivery_is_retried(
    kernel: LocalKernel,
    client: NexusClient,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chaojiyuyan_cli._listen.delivery.DELAYS", (0.01, 0.01, 0.01))
    receiver.statuses = [500, 302, 404]
    lost: list[Delivery] = []
    with Listener(client, receiver.url, interval=0.05, on_delivery=lost.append) as listener:
        job = client.call(CAP, {})
        kernel.cancel(job.id)
        delivery = listener.wait_for(job.id)
        assert (delivery.delivered, delivery.attempts) == (True, 4)
        receiver.statuses = [500] * 4
        job = client.call(CAP, {})
        kernel.cancel(job.id)
        delivery = listener.wait_for(job.id)
        assert (delivery.delivered, delivery.attempts, delivery.outcome) == (False, 4, "500")
    assert [one.delivered for one in lost] == [True, False]


def test_many_open_jobs_are_followed(kernel: LocalKernel, client: NexusClient) -> None:
    old = [client.call(CAP, {"n": n}).id for n in range(8)]
    follower = JobFollower(client)
    follower.start()
    assert list(follower.poll()) == []
    new = [client.call(CAP, {"n": n}).id for n in range(60)]
    for job_id in (old[0], new[0], new[59]):
        kernel.settle(job_id, {})
    assert sorted(job.id for job in follower.poll()) == sorted([old[0], new[0], new[59]])
    assert list(follower.poll()) == []
    kernel.cancel(new[30])
    assert [job.id for job in follower.poll()] == [new[30]]


def test_waiting_for_an_event_times_out(client: NexusClient, receiver: Receiver) -> None:
    with Listener(client, receiver.url) as listener, pytest.raises(TimeoutError, match="job_x"):
        listener.wait_for("job_x", timeout=0.01)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8000/hook", "http://127.0.0.1:8000/hook"),
        ("localhost:8000/hook", "http://localhost:8000/hook"),
        ("https://[::1]/", "https://[::1]/"),
    ],
)
def test_an_address_of_this_machine_is_accepted(url: str, address: str) -> None:
    assert check_target(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hook",
        "127.attacker.example/hook",
        "localhost.evil.com",
        "http://127.0.0.1@evil.com/",
        "ftp://localhost/",
        "http://",
        "",
    ],
)
def test_any_other_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"another machine|not an"):
        check_target(url)


def test_another_machine_is_allowed_by_a_flag() -> None:
    assert check_target("https://example.com/hook", allow_remote=True) == "https://example.com/hook"


def test_the_outbox_waits_longer_before_each_retry() -> None:
    clock = [0.0]
    outbox = Outbox(now=lambda: clock[0])
    delivery = Delivery("j", "job.failed", b"{}")
    outbox.add(delivery)
    waits = []
    while (due := outbox.pop_due()) is not None:
        due.attempts += 1
        if not outbox.retry(due):
            break
        waits.append(outbox.seconds_left(60.0))
        assert outbox.pop_due() is None
        clock[0] += waits[-1]
    assert tuple(waits) == DELAYS
    assert outbox.seconds_left(7.0) == 7.0


# --- as a command --------------------------------------------------------------------------------


@pytest.mark.parametrize("as_json", [False, True])
def test_the_command_posts_and_prints_events(
    cli: Cli, kernel: LocalKernel, client: NexusClient, receiver: Receiver, as_json: bool
) -> None:
    cli.log_in(kernel.base_url, kernel.api_key)
    options = ["--print-json"] if as_json else []
    process = cli.start(
        "listen", "--forward-to", receiver.url, *options, CHAOJIYUYAN_WEBHOOK_SECRET=SECRET
    )
    ready = process.stderr if as_json else process.stdout
    assert ready is not None
    assert process.stdout is not None
    assert ready.readline() == f"Signing secret: {SECRET}\n"
    assert ready.readline().startswith("Ready: ")
    job = client.call(CAP, {})
    kernel.settle(job.id, {"text": "hi"})
    line = process.stdout.readline()
    if as_json:
        assert json.loads(line)["job"]["output_envelope"] == {"text": "hi"}
    else:
        assert line.split() == ["job.succeeded", job.id, "200"]
    headers, body = receiver.events.get(timeout=5)
    unwrap_webhook(body, headers, SECRET)
    interrupt(process)
    _, stderr = finish(process)
    assert process.returncode == 0, stderr


def test_an_undelivered_event_is_reported(
    cli: Cli, kernel: LocalKernel, client: NexusClient, receiver: Receiver
) -> None:
    cli.log_in(kernel.base_url, kernel.api_key)
    receiver.statuses = [503] * 50
    process = cli.start("listen", "--forward-to", receiver.url)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.readline()
    job = client.call(CAP, {})
    kernel.settle(job.id, {})
    deadline = time.monotonic() + 30
    while len(receiver.statuses) == 50 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.terminate()
    _, stderr = finish(process)
    assert process.returncode == 1
    assert f"job.succeeded of job {job.id}: 503" in stderr


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["--forward-to", "https://example.com/x"], 1, "--allow-remote"),
        (["--forward-to", "ftp://x"], 1, "not an http"),
        ([], 2, "--forward-to"),
        (["--forward-to", "localhost:1", "--event", "job.born"], 2, "job.succeeded"),
    ],
)
def test_a_usage_error_says_why(connected: Cli, arguments: list[str], code: int, why: str) -> None:
    done = connected("listen", *arguments)
    assert done.returncode == code
    assert why in done.stderr


def test_a_refused_key_stops_the_listener(cli: Cli, kernel: LocalKernel) -> None:
    cli.log_in(kernel.base_url, "nxt_ag_no_such_key_here")
    done = cli("listen", "--forward-to", "localhost:1")
    assert done.returncode == 2
    assert "401" in done.stderr
