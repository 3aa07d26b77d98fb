"""What a transport is sending can be ended from another thread."""

from __future__ import annotations

import socket
import threading

import pytest

from chaojiyuyan_core import api
from chaojiyuyan_core.http import RequestBuilder, Transport

LARGE = {"text": "x" * (40 << 20)}


class Deaf:
    """A server that takes the beginning of a request, or all of it, and never answers."""

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
def test_an_attempt_that_is_aborted_ends_at_once(reads_all) -> None:
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
