"""TLS connections: trusted ones are reused, others are refused, and all have deadlines."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import httpx
import pytest

from chaojiyuyan_core import api
from chaojiyuyan_core.http import AsyncTransport, Reply, RequestBuilder, Transport
from support.hostile import Peer, hostile
from support.tls import client_context, server_context

CALL = api.get_job("j1")


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The kind of transport. Both kinds trust the test server."""
    for module in ("_sync_connection", "_async_connection"):
        monkeypatch.setattr(f"chaojiyuyan_core.http.{module}.shared_ssl_context", client_context)
    return str(request.param)


def send(kind: str, url: str, *calls: api.Call[Any], timeout: float = 10) -> list[Reply]:
    builder = RequestBuilder("nxt_ag_key", url)

    async def main() -> list[Reply]:
        transport = AsyncTransport(builder)
        replies = [await transport.send(call, timeout) for call in calls]
        await transport.close()
        return replies

    if kind == "async":
        return asyncio.run(main())
    transport = Transport(builder)
    replies = [transport.send(call, timeout) for call in calls]
    transport.close()
    return replies


def secured(peer: Peer) -> None:
    peer.use(server_context().wrap_socket(peer.socket, server_side=True))


def answer_all(peer: Peer) -> None:
    secured(peer)
    while True:
        peer.read_request()
        peer.answer()


def test_a_tls_connection_is_reused(kind: str) -> None:
    large = api.submit("j1", {"text": "x" * 3_000_000})
    with hostile(answer_all) as server:
        url = f"https://localhost:{server.port}/v1"
        assert all(reply.status == 200 for reply in send(kind, url, CALL, large, CALL))
        assert server.accepted == 1


def test_a_certificate_of_another_host_is_refused(kind: str) -> None:
    with hostile(answer_all) as server:
        (reply,) = send(kind, f"https://127.0.0.2:{server.port}/v1", CALL)
    assert isinstance(reply.fault, httpx.ConnectError)


def drip_a_record(peer: Peer) -> None:
    raw = peer.socket.dup()
    secured(peer)
    peer.read_request()
    peer.use(raw)
    raw.sendall(b"\x17\x03\x03\x40\x00")  # the start of a record of 16 KB
    peer.drip(b"x")


def test_a_slow_tls_record_ends_at_the_deadline(kind: str) -> None:
    with hostile(drip_a_record) as server:
        (reply,) = send(kind, f"https://localhost:{server.port}/v1", CALL, timeout=1)
    assert isinstance(reply.fault, httpx.ReadTimeout)


def test_a_tunnel_of_a_proxy_is_reused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    def tunnel(peer: Peer) -> None:
        seen.append(peer.read_request())
        peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        answer_all(peer)

    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with hostile(tunnel) as proxy:
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        replies = send(kind, "https://api.example/v1", CALL, CALL, CALL)
    assert all(reply.is_success for reply in replies)
    assert [line.split(b"\r\n")[0] for line in seen] == [b"CONNECT api.example:443 HTTP/1.1"]
    assert b"nxt_ag_key" not in seen[0]


def send_an_invalid_record(peer: Peer) -> None:
    raw = peer.socket.dup()
    secured(peer)
    peer.read_request()
    peer.use(raw)
    raw.sendall(b"\x17\x03\x03\x00\x30" + b"x" * 0x30)


def test_an_invalid_tls_record_is_a_connection_error(kind: str) -> None:
    with hostile(send_an_invalid_record) as server:
        (reply,) = send(kind, f"https://localhost:{server.port}/v1", CALL)
    assert isinstance(reply.fault, httpx.ReadError)
    assert reply.is_transient


def answer_twice_at_once(peer: Peer) -> None:
    secured(peer)
    peer.read_request()
    # Both records arrive together, where the system can do so.
    hold_back = getattr(socket, "TCP_CORK", None)
    if hold_back is not None:
        peer.socket.setsockopt(socket.IPPROTO_TCP, hold_back, 1)
    peer.answer()
    peer.answer()
    if hold_back is not None:
        peer.socket.setsockopt(socket.IPPROTO_TCP, hold_back, 0)
    peer.stall()


def test_a_tls_connection_with_extra_data_is_not_reused(kind: str) -> None:
    with hostile(answer_twice_at_once) as server:
        replies = send(kind, f"https://localhost:{server.port}/v1", CALL, CALL)
        assert all(reply.is_success for reply in replies)
        assert server.accepted == 2
