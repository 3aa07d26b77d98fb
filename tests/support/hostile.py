"""A loopback server whose connections are handled by a function, byte by byte."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Behaviour = Callable[["Peer"], object]

JOB = b'{"data":{"id":"j1","status":"queued"}}'


class Peer:
    """One connection on the server's side."""

    def __init__(self, sock: socket.socket, ending: threading.Event) -> None:
        self.socket = sock
        self.opened = [sock]
        self.ending = ending
        self._received = b""

    def use(self, sock: socket.socket) -> None:
        """Continue with another socket, which is closed with the connection."""
        self.socket = sock
        self.opened.append(sock)

    def read_request(self) -> bytes:
        """Read the next request with its body."""
        while b"\r\n\r\n" not in self._received:
            self._receive()
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        while len(self._received) < length:
            self._receive()
        body, self._received = self._received[:length], self._received[length:]
        return head + b"\r\n\r\n" + body

    def _receive(self) -> None:
        got = self.socket.recv(65536)
        if not got:
            raise ConnectionError("the client has closed")
        self._received += got

    def send(self, *parts: bytes) -> None:
        self.socket.sendall(b"".join(parts))

    def answer(self, body: bytes = JOB, status: bytes = b"200 OK", *headers: bytes) -> None:
        lines = (b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers, b"", body)
        self.send(b"\r\n".join(lines))

    def drip(self, text: bytes, pause: float = 0.02) -> None:
        """Send the bytes one by one, repeatedly, until the client closes or the test is over."""
        while not self.ending.is_set():
            for byte in text:
                self.socket.sendall(bytes([byte]))
                self.ending.wait(pause)

    def stall(self) -> None:
        """Do nothing until the test is over."""
        self.ending.wait(60)


class Hostile:
    """The server; it listens on ``port`` and ``url``, and ``accepted`` counts connections."""

    def __init__(self, behave: Behaviour) -> None:
        self._behave = behave
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self._ending = threading.Event()
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._closed = threading.Semaphore(0)
        self.accepted = 0
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/api/v1"
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            self._sockets.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        peer = Peer(sock, self._ending)
        try:
            with contextlib.suppress(OSError):
                self._behave(peer)
        finally:
            for each in reversed(peer.opened):
                each.close()
            self._closed.release()

    def until_one_closed(self) -> None:
        """Wait until one more connection is closed on this side."""
        assert self._closed.acquire(timeout=10)

    def close(self) -> None:
        self._ending.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the accepting thread
        self._listener.close()
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)


@contextlib.contextmanager
def hostile(behave: Behaviour) -> Iterator[Hostile]:
    """Run a server during a ``with`` block."""
    server = Hostile(behave)
    try:
        yield server
    finally:
        server.close()
