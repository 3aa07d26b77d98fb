"""An attempt ends at its deadline, whatever the server does, and frees its resources."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from chaojiyuyan_core import api
from chaojiyuyan_core.http import AsyncTransport, Reply, RequestBuilder, Transport
from support.hostile import Peer, hostile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TIMEOUT = 0.4
DESCRIPTORS = Path("/proc/self/fd")
CALL = api.get_job("j1")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def send_sync(builder: RequestBuilder, call: api.Call[Any], timeout: float) -> Reply:
    transport = Transport(builder)
    try:
        return transport.send(call, timeout)
    finally:
        transport.close()


def send_async(builder: RequestBuilder, call: api.Call[Any], timeout: float) -> Reply:
    async def main() -> Reply:
        transport = AsyncTransport(builder)
        try:
            return await transport.send(call, timeout)
        finally:
            await transport.close()

    return asyncio.run(main())


@pytest.fixture(params=[send_sync, send_async], ids=["sync", "async"])
def send(request: pytest.FixtureRequest) -> Any:
    return request.param


def silent(peer: Peer) -> None:
    peer.stall()


def silent_after_the_request(peer: Peer) -> None:
    peer.read_request()
    peer.stall()


def head_drips(peer: Peer) -> None:
    peer.read_request()
    peer.send(HEAD)
    peer.drip(b"X: y\r\n")


def one_header_drips(peer: Peer) -> None:
    peer.read_request()
    peer.send(HEAD, b"X: ")
    peer.drip(b"y")


def interim_answers_rain(peer: Peer) -> None:
    peer.read_request()
    while not peer.ending.wait(0.005):
        peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n")


def body_drips(peer: Peer) -> None:
    peer.read_request()
    peer.send(HEAD, b"Content-Length: 1000000\r\n\r\n")
    peer.drip(b" ")


def chunks_drip(peer: Peer) -> None:
    peer.read_request()
    peer.send(HEAD, b"Transfer-Encoding: chunked\r\n\r\n")
    peer.drip(b"1\r\n \r\n")


BEHAVIOURS = [
    silent,
    silent_after_the_request,
    head_drips,
    one_header_drips,
    interim_answers_rain,
    body_drips,
    chunks_drip,
]


def ends_in_time(act: Callable[[], Reply]) -> Reply:
    """Run an attempt, and check that it ends before the server and frees its resources."""
    began = time.monotonic()
    reply = act()
    assert time.monotonic() - began < TIMEOUT + 1.5  # 0.5 on an idle machine
    return reply


@pytest.mark.parametrize("behave", BEHAVIOURS)
def test_an_attempt_ends_at_its_deadline(send: Any, behave: Any) -> None:
    with hostile(behave) as server:
        builder = RequestBuilder("nxt_ag_key", server.url, timeout=30)
        reply = ends_in_time(lambda: send(builder, CALL, TIMEOUT))
    assert isinstance(reply.fault, httpx.TimeoutException)


def drain_slowly(peer: Peer) -> None:
    while not peer.ending.wait(0.02):
        peer.socket.recv(50)


@pytest.mark.parametrize("behave", [silent, drain_slowly])
def test_an_unread_request_body_ends_at_the_deadline(send: Any, behave: Any) -> None:
    call = api.submit("j1", {"text": "x" * 20_000_000})
    with hostile(behave) as server:
        builder = RequestBuilder("nxt_ag_key", server.url, timeout=30)
        reply = ends_in_time(lambda: send(builder, call, TIMEOUT))
    assert isinstance(reply.fault, httpx.WriteTimeout)


def tls_drips(peer: Peer) -> None:
    peer.send(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03")  # the start of a handshake of 16 KB
    peer.drip(b"x")


@pytest.mark.parametrize("behave", [silent, tls_drips])
def test_a_tls_handshake_ends_at_the_deadline(send: Any, behave: Any) -> None:
    with hostile(behave) as server:
        builder = RequestBuilder("nxt_ag_key", server.url.replace("http:", "https:"), timeout=30)
        reply = ends_in_time(lambda: send(builder, CALL, TIMEOUT))
    assert isinstance(reply.fault, httpx.ConnectTimeout)


def test_connecting_ends_at_the_deadline(send: Any, deaf_port: int) -> None:
    builder = RequestBuilder("nxt_ag_key", f"http://127.0.0.1:{deaf_port}", timeout=30)
    reply = ends_in_time(lambda: send(builder, CALL, TIMEOUT))
    assert isinstance(reply.fault, httpx.ConnectTimeout)


def test_a_dead_address_leaves_time_for_the_next(
    deaf_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hostile(lambda peer: (peer.read_request(), peer.answer())) as server:
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
            for port in (deaf_port, server.port)
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: found)
        assert send_sync(RequestBuilder(None, "http://localhost"), CALL, 1.0).is_success


@pytest.fixture
def deaf_resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A resolver that does not respond during the test, and its list of requested hosts."""
    ending, asked = threading.Event(), []

    def look_up(host: str, port: int, *args: Any, flags: int = 0, **options: Any) -> Any:
        if not flags:
            asked.append(host)
            ending.wait(30)
        raise socket.gaierror(socket.EAI_NONAME, "no such host")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield asked
    ending.set()
    until_no_thread("chaojiyuyan-lookup")


def until_no_thread(name: str) -> None:
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join(10)
            assert not thread.is_alive()


def test_a_lookup_ends_at_the_deadline(deaf_resolver: list[str]) -> None:
    builder = RequestBuilder(None, "http://slow.test", timeout=30)
    reply = ends_in_time(lambda: send_sync(builder, CALL, TIMEOUT))
    assert isinstance(reply.fault, httpx.ConnectTimeout)
    assert deaf_resolver == ["slow.test"]


def test_lookups_of_one_host_share_a_thread(deaf_resolver: list[str]) -> None:
    builder = RequestBuilder(None, "http://slow.test", timeout=30)
    for _ in range(3):
        assert isinstance(send_sync(builder, CALL, 0.05).fault, httpx.ConnectTimeout)
    assert deaf_resolver == ["slow.test"]


def test_a_lookup_without_a_thread_still_works(monkeypatch: pytest.MonkeyPatch) -> None:
    start, look_up = threading.Thread.start, socket.getaddrinfo

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "chaojiyuyan-lookup":
            raise RuntimeError("can't start new thread")
        start(thread)

    def only_ipv4(host: str, port: int, **options: Any) -> Any:
        return look_up(host, port, **{**options, "family": socket.AF_INET})

    monkeypatch.setattr(threading.Thread, "start", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", only_ipv4)
    with hostile(lambda peer: (peer.read_request(), peer.answer())) as server:
        builder = RequestBuilder(None, f"http://localhost:{server.port}")
        assert send_sync(builder, CALL, 20).is_success


def test_a_host_that_does_not_exist_is_a_connect_error(send: Any) -> None:
    for host in ("no-such-host.invalid", "x" * 70 + ".test"):
        fault = send(RequestBuilder(None, f"http://{host}"), CALL, 20).fault
        assert isinstance(fault, httpx.ConnectError), fault


def test_a_default_attempt_ends_without_progress(send: Any) -> None:
    with hostile(silent_after_the_request) as server:
        builder = RequestBuilder("nxt_ag_key", server.url, timeout=TIMEOUT)
        reply = ends_in_time(lambda: send(builder, CALL, None))
    assert isinstance(reply.fault, httpx.ReadTimeout)


def test_a_default_attempt_ends_after_its_total_time(
    send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaojiyuyan_core.http._timeouts.MAX_CALL_SECONDS", TIMEOUT)
    with hostile(body_drips) as server:
        builder = RequestBuilder("nxt_ag_key", server.url, timeout=None)
        reply = ends_in_time(lambda: send(builder, CALL, None))
    assert isinstance(reply.fault, httpx.ReadTimeout)


def test_waiting_for_a_connection_ends_at_the_deadline() -> None:
    with hostile(silent_after_the_request) as server:
        builder = RequestBuilder("nxt_ag_key", server.url, timeout=30)
        transport = Transport(builder, max_connections=1)
        busy = threading.Thread(target=transport.send, args=(CALL, 3 * TIMEOUT))
        busy.start()
        while not server.accepted:
            time.sleep(0.001)
        reply = ends_in_time(lambda: transport.send(CALL, TIMEOUT))
        busy.join()
        transport.close()
    assert isinstance(reply.fault, httpx.PoolTimeout)
    assert "All 1 connections were in use" in str(reply.fault)
    assert reply.is_transient


def test_waiting_for_a_connection_ends_at_the_deadline_on_a_loop() -> None:
    async def main() -> Reply:
        transport = AsyncTransport(builder, max_connections=1)
        busy = asyncio.create_task(transport.send(CALL, 3 * TIMEOUT))
        while not server.accepted:
            await asyncio.sleep(0.001)
        reply = await transport.send(CALL, TIMEOUT)
        assert not busy.done()
        await busy
        await transport.close()
        return reply

    with hostile(silent_after_the_request) as server:
        builder = RequestBuilder("nxt_ag_key", server.url, timeout=30)
        reply = asyncio.run(main())
    assert isinstance(reply.fault, httpx.PoolTimeout)


@pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="needs /proc to count descriptors")
def test_ended_attempts_leave_no_socket_and_no_thread(send: Any) -> None:
    def left_behind() -> tuple[int, int]:
        return len(list(DESCRIPTORS.iterdir())), threading.active_count()

    with hostile(silent) as warm_up:
        send(RequestBuilder(None, warm_up.url), CALL, 0.05)
    before = left_behind()
    for behave in (*BEHAVIOURS, drain_slowly, tls_drips):
        scheme = "https:" if behave is tls_drips else "http:"
        with hostile(behave) as server:
            send(RequestBuilder(None, server.url.replace("http:", scheme)), CALL, 0.1)
    assert left_behind() == before


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("behave", [silent_after_the_request, body_drips, chunks_drip])
def test_an_attempt_of_a_passed_in_client_ends_too(kind: str, behave: Any) -> None:
    def by_client() -> Reply:
        with httpx.Client(timeout=30) as client:
            return Transport(builder, client).send(CALL, TIMEOUT)

    async def by_async_client() -> Reply:
        async with httpx.AsyncClient(timeout=30) as client:
            return await AsyncTransport(builder, client).send(CALL, TIMEOUT)

    with hostile(behave) as server:
        builder = RequestBuilder("nxt_ag_key", server.url)
        reply = ends_in_time(
            by_client if kind == "sync" else lambda: asyncio.run(by_async_client())
        )
    assert isinstance(reply.fault, httpx.ReadTimeout)
