"""A device login of the SDK's client, approved or denied in a real browser."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from chaojiyuyan_client import NexusClient
from chaojiyuyan_core.errors import DeviceFlowError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from playwright.sync_api import Page

    from chaojiyuyan_devserver.testing import LocalKernel


@pytest.fixture
def background() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


class Login:
    """A device login of the SDK's client, running in a thread."""

    def __init__(self, kernel: LocalKernel, pool: ThreadPoolExecutor) -> None:
        self._shown = threading.Event()
        self.url = ""
        self.client: Future[NexusClient] = pool.submit(
            NexusClient.login_device_flow,
            base_url=kernel.base_url,
            client_name="my laptop",
            timeout=30,
            print_fn=self._read,
            save=False,
        )
        assert self._shown.wait(10)

    def _read(self, line: str) -> None:
        found = re.search(r"https?://\S+", line)
        if found:
            self.url = found.group()
            self._shown.set()


def test_a_login_is_approved(
    page: Page, kernel: LocalKernel, background: ThreadPoolExecutor
) -> None:
    page.goto("/")
    login = Login(kernel, background)
    # the open overview shows it without a reload
    page.get_by_role("link", name="Review").click()
    assert page.url == login.url
    page.get_by_text("my laptop").wait_for()
    page.get_by_role("button", name="Approve").click()
    page.get_by_role("heading", name="Approved").wait_for()
    with login.client.result(15) as client:
        assert client.capabilities()


def test_a_login_is_denied(page: Page, kernel: LocalKernel, background: ThreadPoolExecutor) -> None:
    login = Login(kernel, background)
    page.goto(login.url)
    page.get_by_role("button", name="Deny").click()
    page.get_by_role("heading", name="Denied").wait_for()
    with pytest.raises(DeviceFlowError):
        login.client.result(15)


def test_a_login_is_approved_with_the_keyboard(
    page: Page, kernel: LocalKernel, background: ThreadPoolExecutor
) -> None:
    login = Login(kernel, background)
    code = login.url.rpartition("=")[2]
    page.goto("/activate")
    page.keyboard.type(code.lower())  # the field has the focus
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Connect a program").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    focused = page.locator(":focus")
    assert focused.inner_text() == "Approve"
    assert focused.evaluate("e => e.matches(':focus-visible')")
    assert focused.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Approved").wait_for()
    with login.client.result(15) as client:
        assert client.api_key.startswith("nxt_ag_")
