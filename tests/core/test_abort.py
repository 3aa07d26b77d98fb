"""Another thread can abort the running attempts of a transport."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from chaojiyuyan_core import api
from chaojiyuyan_core.http import RequestBuilder, Transport
from chaojiyuyan_core.http._sync_connection import Connection
from support.hostile import Peer, hostile

if TYPE_CHECKING:
    from chaojiyuyan_core.http import Reply

LARGE = {"text": "x" * (40 << 20)}


class Deaf:
    """A server that reads the start of a request, or all of it, and never responds."""

    def __init__(self, *, reads_all: bool) -> None:
        self._reads_all = reads_all
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.begun, self.ended = threading.Event(), threading.Event()
        self.received = 0
        self.go_on = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        connection = self._listener.accept()[0]
        with connection:
            self.received += len(connection.recv(1000))
            self.begun.set()
            if not self._reads_all:
                self.go_on.wait(10)
            try:
                while chunk := connection.recv(1 << 20):
                    self.received += len(chunk)
            except ConnectionError:
                pass
        self._listener.close()
        self.ended.set()


@pytest.mark.parametrize("reads_all", [False, True])
def test_an_aborted_attempt_ends_at_once(reads_all) -> None:
    server = Deaf(reads_all=reads_all)
    builder = RequestBuilder("nxt_ag_test_test", f"http://127.0.0.1:{server.port}")
    transport = Transport(builder)
    replies = []
    output = {} if reads_all else LARGE
    sender = threading.Thread(
        target=lambda: replies.append(transport.send(api.submit("job-1", output), 60))
    )
    sender.start()
    assert server.begun.wait(10)
    transport.abort()
    sender.join(5)
    assert not sender.is_alive()
    assert replies[0].fault is not None
    server.go_on.set()
    assert server.ended.wait(10)
    assert server.received < len(LARGE["text"])
    transport.close()


def test_aborting_an_idle_transport_does_nothing() -> None:
    Transport(RequestBuilder("nxt_ag_test_test", "http://127.0.0.1:1")).abort()


def answer_once(peer: Peer) -> None:
    peer.read_request()
    peer.answer()
    peer.read_request()
    peer.stall()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_abort_during_the_take_of_a_connection_ends_it(
    moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hostile(answer_once) as server:
        transport = Transport(RequestBuilder("nxt_ag_key", server.url))
        assert transport.send(api.get_job("j1")).is_success
        is_stale = Connection.is_stale

        def abort_and_look(self: Connection) -> bool:
            if moment == "before":
                transport.abort()
                return is_stale(self)
            found = is_stale(self)
            transport.abort()
            return found

        monkeypatch.setattr(Connection, "is_stale", abort_and_look)
        reply = transport.send(api.get_job("j1"), 5)
        assert "is over" in str(reply.fault)  # not the error of the closed connection
        assert server.accepted == 1
        transport.close()


def test_an_abort_before_a_connection_opens_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with hostile(answer_once) as server:
        transport = Transport(RequestBuilder("nxt_ag_key", server.url))
        monkeypatch.setattr(
            "chaojiyuyan_core.http._proxies.find_proxy", lambda *_: transport.abort()
        )
        assert transport.send(api.get_job("j1"), 5).fault is not None
        assert server.accepted == 0
        transport.close()


def test_a_transport_can_send_after_an_abort() -> None:
    with hostile(answer_once) as server:
        transport = Transport(RequestBuilder("nxt_ag_key", server.url))
        transport.abort()
        assert transport.send(api.get_job("j1")).is_success
        transport.abort()
        transport.close()


def end_by_aborts(transport: Transport, begun: threading.Event | None = None) -> Reply:
    """Send a slow call, abort it repeatedly until it ends, and check that it ends at once."""
    replies: list[Reply] = []
    sender = threading.Thread(target=lambda: replies.append(transport.send(api.get_job("j1"), 60)))
    sender.start()
    assert begun is None or begun.wait(10)
    ends = time.monotonic() + 5
    while sender.is_alive() and time.monotonic() < ends:
        transport.abort()
        sender.join(0.01)
    assert not sender.is_alive()
    return replies[0]


def test_an_abort_ends_a_connecting_attempt(deaf_port: int) -> None:
    transport = Transport(RequestBuilder("nxt_ag_key", f"http://127.0.0.1:{deaf_port}"))
    assert end_by_aborts(transport).fault is not None
    transport.close()


def test_an_abort_ends_a_tls_handshake() -> None:
    begun = threading.Event()

    def take_a_hello(peer: Peer) -> None:
        peer.socket.recv(1)
        begun.set()
        peer.stall()

    with hostile(take_a_hello) as server:
        transport = Transport(RequestBuilder("nxt_ag_key", f"https://127.0.0.1:{server.port}"))
        assert end_by_aborts(transport, begun).fault is not None
        transport.close()
