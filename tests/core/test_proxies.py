"""The proxies of the environment are used, but never for this machine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from chaojiyuyan_core import api
from chaojiyuyan_core.http import AsyncTransport, Reply, RequestBuilder, Transport
from support.hostile import Peer, hostile

if TYPE_CHECKING:
    from collections.abc import Iterator

CALL = api.get_job("j1")
NAMES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"]


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def proxy() -> Iterator[Any]:
    """A proxy that responds itself. ``proxy.seen`` has the first lines of its requests."""
    seen: list[bytes] = []

    def behave(peer: Peer) -> None:
        while True:
            seen.append(peer.read_request().split(b"\r\n")[0])
            if seen[-1].startswith(b"CONNECT"):
                peer.answer(b"", b"403 Forbidden")
            else:
                peer.answer()

    with hostile(behave) as server:
        server.seen = seen  # type: ignore[attr-defined]
        yield server


def send(kind: str, url: str, calls: int = 1) -> Reply:
    async def main() -> Reply:
        transport = AsyncTransport(RequestBuilder("nxt_ag_key", url, timeout=5))
        for _ in range(calls):
            reply = await transport.send(CALL)
        await transport.close()
        return reply

    if kind == "async":
        return asyncio.run(main())
    transport = Transport(RequestBuilder("nxt_ag_key", url, timeout=5))
    for _ in range(calls):
        reply = transport.send(CALL)
    transport.close()
    return reply


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("scheme", ["http://", ""])
def test_a_proxy_is_used_and_its_connection_reused(
    kind: str, name: str, scheme: str, proxy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, f"{scheme}127.0.0.1:{proxy.port}")
    assert send(kind, "http://api.example/v1", calls=3).is_success
    assert proxy.seen == [b"GET http://api.example/v1/kernel-jobs/j1 HTTP/1.1"] * 3
    assert proxy.accepted == 1


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_connection_of_a_proxy_with_extra_data_is_not_reused(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer_twice(peer: Peer) -> None:
        peer.read_request()
        peer.send(2 * b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        peer.stall()

    with hostile(answer_twice) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        assert send(kind, "http://api.example/v1", calls=2).is_success
        assert proxy.accepted == 2


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_proxy_gets_the_password_of_its_url(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(peer: Peer) -> None:
        head = peer.read_request()
        peer.answer(b"", b"200 OK" if b"Basic dTpwQHc=" in head else b"407 Required")

    with hostile(check) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://u:p%40w@127.0.0.1:{proxy.port}")
        assert send(kind, "http://api.example/v1").is_success


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_https_uses_a_tunnel_of_the_proxy(
    kind: str, proxy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
    assert isinstance(send(kind, "https://api.example/v1").fault, httpx.ProxyError)
    assert proxy.seen == [b"CONNECT api.example:443 HTTP/1.1"]


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.8.9.1"])
def test_loopback_addresses_never_use_a_proxy(
    kind: str, host: str, proxy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NAMES[:3]:
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    with hostile(lambda peer: (peer.read_request(), peer.answer())) as local:
        url = local.url.replace("127.0.0.1", host)
        reply = send(kind, url)
    assert proxy.seen == []
    assert host != "127.0.0.1" or reply.is_success


@pytest.mark.parametrize("listed", ["api.example", "example", ".example", "*"])
def test_no_proxy_is_followed(listed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from chaojiyuyan_core.http._proxies import find_proxy

    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    assert find_proxy("http", "api.example") == "http://proxy.example:3128"
    assert find_proxy("https", "api.example") is None
    monkeypatch.setenv("NO_PROXY", listed)
    assert find_proxy("http", "api.example") is None
