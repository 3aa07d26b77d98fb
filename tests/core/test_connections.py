"""Connections are reused after a clean exchange, the last one first."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from chaojiyuyan_core import api
from chaojiyuyan_core.http import AsyncTransport, Reply, RequestBuilder, Transport
from chaojiyuyan_core.http._attempt import Attempt
from chaojiyuyan_core.http._shelf import MAX_IDLE_SECONDS
from chaojiyuyan_core.http._stack import AsyncConnectionStack, ConnectionStack
from chaojiyuyan_core.http._timeouts import Deadline, Timeouts
from support.hostile import JOB, Peer, hostile

if TYPE_CHECKING:
    from collections.abc import Callable

CALL = api.get_job("j1")
LISTING = api.list_jobs()


def send_each(
    kind: str, url: str, *calls: api.Call[Any], then: Callable[[], object] = bool
) -> list[Reply]:
    """Send calls in order on one transport, and run a function after each."""
    builder = RequestBuilder("nxt_ag_key", url, timeout=5)
    replies = []

    async def main() -> None:
        transport = AsyncTransport(builder)
        for call in calls:
            replies.append(await transport.send(call))
            then()
        await transport.close()

    if kind == "async":
        asyncio.run(main())
        return replies
    transport = Transport(builder)
    for call in calls:
        replies.append(transport.send(call))
        then()
    transport.close()
    return replies


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def answer_all(peer: Peer) -> None:
    while True:
        peer.read_request()
        peer.answer()


def test_a_connection_is_reused(kind: str) -> None:
    with hostile(answer_all) as server:
        assert all(reply.is_success for reply in send_each(kind, server.url, *[CALL] * 5))
        assert server.accepted == 1


def answer_and_close(peer: Peer) -> None:
    peer.read_request()
    peer.answer(JOB, b"200 OK", b"Connection: close")


def answer_and_close_silently(peer: Peer) -> None:
    peer.read_request()
    peer.answer()


def answer_twice_at_once(peer: Peer) -> None:
    """Send a second, unrequested response, which the next request must not get."""
    peer.read_request()
    lines = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(JOB), b"", JOB]
    peer.send(b"\r\n".join(lines) * 2)
    peer.stall()


def answer_twice_after_a_full_read(peer: Peer) -> None:
    """Send a response that is as long as one read of httpcore, and another one."""
    peer.read_request()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    body = JOB.ljust((1 << 16) - len(head % 65000))
    peer.send(head % len(body), body, head % len(JOB), JOB)
    peer.stall()


def answer_too_long(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(JOB), JOB, b"and more")
    peer.stall()


def test_a_connection_closed_by_the_server_is_not_reused(kind: str) -> None:
    with hostile(answer_and_close_silently) as server:
        replies = send_each(kind, server.url, *[CALL] * 3, then=server.until_one_closed)
        assert server.accepted == 3
    assert all(reply.value(CALL)["id"] == "j1" for reply in replies)


@pytest.mark.parametrize(
    "behave",
    [answer_and_close, answer_twice_at_once, answer_twice_after_a_full_read, answer_too_long],
)
def test_an_unclean_connection_is_not_reused(kind: str, behave: Any) -> None:
    with hostile(behave) as server:
        replies = send_each(kind, server.url, *[CALL] * 3)
        assert server.accepted == 3
    assert all(reply.value(CALL)["id"] == "j1" for reply in replies)


def close_with_bytes_unread(peer: Peer) -> None:
    peer.socket.recv(1)


def reset(peer: Peer) -> None:
    peer.read_request()
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def cut_the_body(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")


def cut_a_chunk(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n{")


def send_garbage(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"\x00\xff garbage\r\n\r\n")


def send_endless_headers(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        peer.send(b"X: " + b"y" * 60000 + b"\r\n")


def send_two_lengths(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}{}{}")


@pytest.mark.parametrize(
    "behave",
    [
        close_with_bytes_unread,
        reset,
        cut_the_body,
        cut_a_chunk,
        send_garbage,
        send_endless_headers,
        send_two_lengths,
    ],
)
def test_a_broken_exchange_is_a_transient_fault(kind: str, behave: Any) -> None:
    with hostile(behave) as server:
        replies = send_each(kind, server.url, CALL, CALL)
        assert server.accepted == 2
    for reply in replies:
        assert isinstance(reply.fault, httpx.TransportError)
        assert str(reply.fault)
        assert reply.is_transient


def refuse_a_large_body(peer: Peer) -> None:
    peer.socket.recv(1000)
    peer.answer(b'{"detail":"too large"}', b"413 Too Large", b"Connection: close")
    while peer.socket.recv(65536):  # unread data at the close would reset the connection
        pass


def test_a_response_before_the_end_of_the_request_is_read(kind: str) -> None:
    with hostile(refuse_a_large_body) as server:
        (reply,) = send_each(kind, server.url, api.submit("j", {"x": "y" * 5_000_000}))
    assert reply.status == 413


def test_concurrent_requests_use_separate_connections(kind: str) -> None:
    together = threading.Barrier(10)

    def wait_for_all(peer: Peer) -> None:
        while True:
            peer.read_request()
            together.wait(10)
            peer.answer()

    async def main() -> list[Reply]:
        transport = AsyncTransport(builder)
        replies = await asyncio.gather(*(transport.send(CALL) for _ in range(10)))
        await transport.close()
        return replies

    with hostile(wait_for_all) as server:
        builder = RequestBuilder("nxt_ag_key", server.url, timeout=20)
        if kind == "async":
            replies = asyncio.run(main())
        else:
            transport, replies = Transport(builder), []
            threads = [
                threading.Thread(target=lambda: replies.append(transport.send(CALL)))
                for _ in range(10)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            transport.close()
    assert [reply.status for reply in replies] == [200] * 10


class Made:
    """A fake connection for tests of the stack."""

    def __init__(self, origin: Any) -> None:
        self.origin = origin
        self.closed = self.stale = False

    def is_stale(self) -> bool:
        return self.stale

    def close(self) -> None:
        self.closed = True

    def shut_down(self) -> None:
        pass


NEVER = Deadline()
ONE, OTHER = (b"http", b"one", 80), (b"http", b"other", 80)


def make_stack(max_connections: int = 5) -> tuple[ConnectionStack, list[float]]:
    time = [0.0]
    made: Any = Made
    return ConnectionStack(made, max_connections, clock=lambda: time[0]), time


def test_the_connection_returned_last_is_used_first() -> None:
    stack, _ = make_stack()
    first, second = stack.take(ONE, 1, NEVER), stack.take(ONE, 1, NEVER)
    stack.give_back(first)
    stack.give_back(second)
    assert stack.take(ONE, 1, NEVER) is second
    assert stack.take(ONE, 1, NEVER) is first
    assert stack.take(OTHER, 1, NEVER) not in (first, second)


def test_idle_connections_are_closed_after_a_while() -> None:
    stack, time = make_stack()
    old: Any = stack.take(ONE, 1, NEVER)
    used: Any = stack.take(ONE, 1, NEVER)
    stack.give_back(old)
    time[0] = MAX_IDLE_SECONDS + 1
    stack.give_back(used)
    assert (old.closed, used.closed) == (True, False)


def test_a_connection_closed_by_the_server_is_not_taken() -> None:
    stack, _ = make_stack(1)
    stale: Any = stack.take(ONE, 1, NEVER)
    stack.give_back(stale)
    stale.stale = True
    assert stack.take(ONE, 1, NEVER) is not stale
    assert stale.closed


def test_an_idle_connection_of_another_origin_is_closed() -> None:
    stack, _ = make_stack(1)
    other: Any = stack.take(OTHER, 1, NEVER)
    stack.give_back(other)
    assert stack.take(ONE, 0, NEVER).origin == ONE
    assert other.closed
    with pytest.raises(httpx.PoolTimeout, match="All 1 connections were in use for 0 s"):
        stack.take(ONE, 0, NEVER)


def test_a_closed_stack_closes_returned_connections() -> None:
    stack, _ = make_stack()
    idle: Any = stack.take(ONE, 1, NEVER)
    used: Any = stack.take(ONE, 1, NEVER)
    stack.give_back(idle)
    stack.close()
    assert (idle.closed, used.closed) == (True, False)
    stack.give_back(used)
    assert used.closed
    with pytest.raises(RuntimeError, match="closed"):
        stack.take(ONE, 1, NEVER)


def test_a_wait_for_a_connection_ends_when_its_deadline_is_moved() -> None:
    stack, _ = make_stack(1)
    used = stack.take(ONE, 1, NEVER)
    deadline = Deadline()
    faults: list[pytest.ExceptionInfo[httpx.PoolTimeout]] = []

    def wait() -> None:
        with pytest.raises(httpx.PoolTimeout) as caught:
            stack.take(ONE, 1000, deadline)
        faults.append(caught)

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    deadline.pass_now()
    for _ in range(500):
        stack.wake_up()
        waiting.join(0.01)
        if not waiting.is_alive():
            break
    assert faults
    stack.drop(used)


def test_two_event_loops_share_no_connections() -> None:
    made: Any = Made

    async def main() -> None:
        first = await stack.take(ONE, 0)
        waiting = asyncio.create_task(stack.take(ONE, 0.05))
        await asyncio.sleep(0)
        other = await asyncio.to_thread(asyncio.run, stack.take(ONE, 0))
        assert other is not first
        with pytest.raises(httpx.PoolTimeout):
            await waiting

    stack = AsyncConnectionStack(made, 1)
    asyncio.run(main())


@pytest.mark.parametrize(
    ("address", "port"),
    [("http://h", 80), ("https://h", 443), ("http://h:81", 81), ("http://h:0", 0)],
)
def test_a_connection_goes_to_the_port_of_the_url(address: str, port: int) -> None:
    request = httpx.Request("GET", address)
    attempt = Attempt(request, None, Timeouts.parse(1), NEVER)
    assert attempt.origin == (address.partition(":")[0].encode(), b"h", port)
