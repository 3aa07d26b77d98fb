"""A wait ends at its timeout, whatever the server does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from chaojiyuyan_core.errors import JobTimeout, ResponseFormatError
from support.hostile import JOB, Peer, hostile

if TYPE_CHECKING:
    from collections.abc import Callable

TIMEOUT = 1.0


def drip_answers(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    peer.drip(b" ")


def drip_heads(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 200 OK\r\nX: ")
    peer.drip(b"x")


def post_then_drip(peer: Peer) -> None:
    while peer.read_request().startswith(b"POST"):
        peer.answer()
    peer.send(b"HTTP/1.1 200 OK\r\nX: ")
    peer.drip(b"x")


def reset(peer: Peer) -> None:
    """Close with unread bytes, so that the client may see a connection reset."""


def took(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


@pytest.mark.parametrize("behave", [drip_answers, drip_heads, reset])
def test_a_wait_ends_at_its_timeout(make_client: Any, behave: Any) -> None:
    def wait() -> None:
        with pytest.raises(JobTimeout):
            client.wait("j1", timeout=TIMEOUT)

    with hostile(behave) as server:
        client = make_client("nxt_ag_key", server.url)
        assert TIMEOUT - 0.1 < took(wait) < TIMEOUT + 1.5  # 0.5 on an idle machine


@pytest.mark.parametrize(("behave", "error"), [
    (drip_answers, httpx.ReadTimeout), (post_then_drip, JobTimeout),
])  # fmt: skip
def test_a_run_ends_at_its_timeout(make_client: Any, behave: Any, error: Any) -> None:
    def run() -> None:
        with pytest.raises(error):
            client.run("test.echo.v1", {}, timeout=TIMEOUT)

    with hostile(behave) as server:
        client = make_client("nxt_ag_key", server.url)
        assert TIMEOUT - 0.1 < took(run) < TIMEOUT + 1.5


@pytest.mark.parametrize("timeout", [float("nan"), float("inf"), -1])
def test_an_invalid_timeout_orders_nothing(make_client: Any, timeout: float) -> None:
    with hostile(drip_answers) as server:
        client = make_client("nxt_ag_key", server.url)
        with pytest.raises(ValueError, match="timeout"):
            client.run("test.echo.v1", {}, timeout=timeout)
        assert server.accepted == 0


@pytest.mark.parametrize("given", [None, 5, (1, 2), (1, 2, 3, 4), httpx.Timeout(3)])
def test_a_timeout_is_accepted_in_the_earlier_forms(make_client: Any, given: Any) -> None:
    with hostile(lambda peer: (peer.read_request(), peer.answer())) as server:
        client = make_client("nxt_ag_key", server.url, timeout=given)
        assert client.timeout == given
        assert client.get_job("j1").id == "j1"


def test_a_response_that_is_too_long_is_a_format_error(make_client: Any) -> None:
    with hostile(lambda peer: (peer.read_request(), peer.answer(JOB + b" " * 999))) as server:
        client = make_client("nxt_ag_key", server.url, max_response_bytes=500)
        with pytest.raises(ResponseFormatError, match="500 bytes"):
            client.get_job("j1")


def test_a_download_from_a_very_slow_host_ends(make_client: Any, tmp_path: Any) -> None:
    with hostile(drip_answers) as server:
        client = make_client("nxt_ag_key", server.url, max_retries=0)
        artifact: Any = {"id": "a", "artifact_uri": f"http://127.0.0.1:{server.port}/a"}
        with pytest.raises(httpx.ReadTimeout):
            client.download(artifact, tmp_path / "file", timeout=0.5)
    assert list(tmp_path.iterdir()) == []
