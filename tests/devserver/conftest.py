"""Fixtures of the console's tests: a browser without scripts, and Chromium."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.browser import PlainBrowser, site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx
    from playwright.sync_api import Browser, Page

    from chaojiyuyan_devserver.testing import LocalKernel

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture
def open_browser() -> Callable[[LocalKernel], PlainBrowser]:
    return PlainBrowser


@pytest.fixture
def browser(kernel: LocalKernel) -> Iterator[PlainBrowser]:
    with PlainBrowser(kernel) as browser:
        yield browser


@pytest.fixture
def call() -> Callable[..., str]:
    """Return a function that calls a capability and returns the job's id."""

    def make(client: httpx.Client, capability: str = "test.echo.v1", **payload: object) -> str:
        body = {"capability_key": capability, "input_payload": payload}
        answer = client.post("/kernel-jobs", json=body)
        return str(answer.raise_for_status().json()["data"]["id"])

    return make


@pytest.fixture
def register() -> Callable[..., None]:
    """Return a function that registers a client's agent as a worker."""

    def make(client: httpx.Client, *capabilities: str) -> None:
        body = {"capability_keys": capabilities}
        client.post("/kernel-agents/me/capabilities", json=body).raise_for_status()

    return make


# one for each module: asyncio.run() fails in this thread while Playwright runs
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """The errors and warnings that the page logged, and its exceptions."""
    return []


@pytest.fixture
def page(chromium: Browser, kernel: LocalKernel, complaints: list[str]) -> Iterator[Page]:
    """A page in Chromium at the kernel's console; logged errors and warnings fail the test."""
    context = chromium.new_context(base_url=site(kernel))
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None,
    )
    page.goto(kernel.console_url)  # sets the console's token as a cookie
    yield page
    context.close()
    assert complaints == []
