"""Responses are decoded in parts, up to a maximum size."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
import zlib
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from chaojiyuyan_core import api
from chaojiyuyan_core.errors import ResponseFormatError
from chaojiyuyan_core.http import AsyncTransport, Reply, RequestBuilder, Transport
from support.hostile import JOB, Peer, hostile

if TYPE_CHECKING:
    from collections.abc import Callable

CALL = api.get_job("j1")
MEBIBYTE = 1 << 20


def send(kind: str, url: str, **options: Any) -> Reply:
    builder = RequestBuilder("nxt_ag_key", url, timeout=20)

    async def main() -> Reply:
        transport = AsyncTransport(builder, **options)
        try:
            return await transport.send(CALL)
        finally:
            await transport.close()

    if kind == "async":
        return asyncio.run(main())
    transport = Transport(builder, **options)
    try:
        return transport.send(CALL)
    finally:
        transport.close()


def answering(body: bytes, *headers: bytes) -> Callable[[Peer], None]:
    def behave(peer: Peer) -> None:
        peer.read_request()
        peer.answer(body, b"200 OK", *headers)

    return behave


def raw_deflate(content: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(content) + compressor.flush()


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        (b"gzip", gzip.compress),
        (b"X-GZIP", gzip.compress),
        (b"deflate", zlib.compress),
        (b"deflate", raw_deflate),
        (b"identity", bytes),
        (b"", bytes),
    ],
)
def test_an_answer_is_decoded(kind: str, encoding: bytes, encode: Any) -> None:
    with hostile(answering(encode(JOB), b"Content-Encoding: " + encoding)) as server:
        assert send(kind, server.url).value(CALL) == json.loads(JOB)["data"]


@pytest.mark.parametrize("size", [1000, 1001])
@pytest.mark.parametrize("encoded", [True, False])
def test_the_limit_counts_decoded_bytes(kind: str, size: int, encoded: bool) -> None:
    body = JOB + b" " * (size - len(JOB))
    content, headers = (gzip.compress(body), [b"Content-Encoding: gzip"]) if encoded else (body, [])
    with hostile(answering(content, *headers)) as server:
        reply = send(kind, server.url, max_response_bytes=1000)
    assert (reply.fault is None) is (size == 1000)
    if reply.fault is not None:
        assert isinstance(reply.fault, ResponseFormatError)
        assert "longer than 1000 bytes" in str(reply.fault)
        assert reply.status == 200


def test_a_gzip_bomb_is_stopped_early(kind: str) -> None:
    """A quarter of a megabyte inflates to a quarter of a gigabyte."""
    compressor = zlib.compressobj(9, wbits=31)
    bomb = b"".join(compressor.compress(bytes(MEBIBYTE)) for _ in range(256)) + compressor.flush()
    assert len(bomb) < MEBIBYTE
    with hostile(answering(bomb, b"Content-Encoding: gzip")) as server:
        tracemalloc.start()
        reply = send(kind, server.url, max_response_bytes=4 * MEBIBYTE)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert isinstance(reply.fault, ResponseFormatError)
    assert peak < 20 * MEBIBYTE


def test_an_endless_response_is_stopped(kind: str) -> None:
    def behave(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            peer.send(bytes(65536))

    with hostile(behave) as server:
        reply = send(kind, server.url, max_response_bytes=MEBIBYTE)
    assert isinstance(reply.fault, ResponseFormatError)


def test_a_declared_length_above_the_limit_is_refused_unread(kind: str) -> None:
    def behave(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n")
        peer.stall()

    with hostile(behave) as server:
        assert isinstance(send(kind, server.url).fault, ResponseFormatError)


@pytest.mark.parametrize("encoding", [b"br", b"zstd", b"gzip, gzip", b"x" * 999])
def test_an_unsupported_encoding_is_refused(kind: str, encoding: bytes) -> None:
    with hostile(answering(JOB, b"Content-Encoding: " + encoding)) as server:
        reply = send(kind, server.url)
    assert isinstance(reply.fault, ResponseFormatError)
    assert len(str(reply.fault)) < 200


@pytest.mark.parametrize("body", [b"not gzip", gzip.compress(JOB)[:-12]], ids=["other", "cut"])
def test_a_broken_encoding_is_a_format_error(kind: str, body: bytes) -> None:
    with hostile(answering(body, b"Content-Encoding: gzip")) as server:
        reply = send(kind, server.url)
    with pytest.raises(ResponseFormatError):
        reply.value(CALL)


def test_the_limit_holds_for_a_passed_in_client() -> None:
    wire = httpx.MockTransport(lambda request: httpx.Response(200, content=JOB))
    builder = RequestBuilder("nxt_ag_key", "https://api.example")
    with httpx.Client(transport=wire) as client:
        assert Transport(builder, client).send(CALL).is_success
        reply = Transport(builder, client, max_response_bytes=10).send(CALL)
    assert isinstance(reply.fault, ResponseFormatError)
