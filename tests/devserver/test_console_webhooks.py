"""Webhooks in the console: the endpoint, its secret, its deliveries."""

from __future__ import annotations

import hashlib
import hmac
import json
import queue
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from chaojiyuyan_devserver.testing import LocalKernel
    from support.browser import PlainBrowser


@pytest.fixture
def receiver() -> Iterator[tuple[str, queue.Queue[tuple[bytes, str]]]]:
    """A webhook receiver: its URL, and the received bodies and signatures."""
    arrived: queue.Queue[tuple[bytes, str]] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            arrived.put((body, self.headers["x-kernel-signature"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hook", arrived
        server.shutdown()


def signed(secret: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def test_webhooks_are_set_delivered_rotated_and_resent(
    kernel: LocalKernel,
    kernel_client: httpx.Client,
    browser: PlainBrowser,
    receiver: tuple[str, queue.Queue[tuple[bytes, str]]],
    call: Callable[..., str],
) -> None:
    url, arrived = receiver
    account = kernel.me().account_id
    page = browser.press(f"/webhooks?account={account}", url=url)
    (secret,) = re.findall(r'id="secret"[^>]*>(whsec_[\w-]+)<', page.text)
    kernel.cancel(call(kernel_client))
    body, signature = arrived.get(timeout=10)
    assert json.loads(body)["event"] == "job.cancelled"
    assert signature == signed(secret, body)

    page = browser.press(f"/webhooks/secret?account={account}", grace="3600")
    (rotated,) = re.findall(r'id="secret"[^>]*>(whsec_[\w-]+)<', page.text)
    assert rotated != secret
    assert secret in page.text  # accepted for another hour
    delivery = re.findall(r'<tr id="row-(dlv_\w+)"', page.text)[0]
    again = browser.press(f"/deliveries/{delivery}/resend")
    assert again.url.path.startswith("/deliveries/dlv_")
    assert again.url.path != f"/deliveries/{delivery}"
    assert arrived.get(timeout=10) == (body, signed(rotated, body))

    kernel.skip(3700)
    assert secret not in browser.get(f"/webhooks?account={account}").text


@pytest.mark.parametrize("url", ["ftp://x", "javascript:alert(1)", "nonsense"])
def test_only_http_urls_are_accepted(kernel: LocalKernel, browser: PlainBrowser, url: str) -> None:
    answer = browser.press(f"/webhooks?account={kernel.me().account_id}", url=url)
    assert answer.status_code == 400
    assert "must start with http" in answer.text
