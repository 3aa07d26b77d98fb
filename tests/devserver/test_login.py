"""The device login from start to key, with the page's form."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx

    from chaojiyuyan_devserver.testing import LocalKernel
    from support.browser import PlainBrowser


def start(client: httpx.Client, name: str = "laptop") -> dict[str, str]:
    """Start a login."""
    answer = client.post("/oauth/device/authorize", json={"client_name": name})
    started: dict[str, str] = answer.json()["data"]
    return started


def poll(client: httpx.Client, login: dict[str, str]) -> httpx.Response:
    """Poll for the key."""
    return client.post("/oauth/device/token", json={"device_code": login["device_code"]})


def form(page: httpx.Response) -> dict[str, str]:
    """Return the hidden fields of a page's form."""
    return dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text))


@pytest.mark.parametrize("decision", ["approve", "deny"])
def test_a_login_is_decided_on_the_page(
    kernel: LocalKernel, kernel_client: httpx.Client, browser: PlainBrowser, decision: str
) -> None:
    login = start(kernel_client)
    assert re.fullmatch(r"[A-Z]{4}-\d{4}", login["user_code"])
    assert poll(kernel_client, login).status_code == 428
    page = browser.get(login["verification_url_complete"])
    assert page.status_code == 200
    assert login["user_code"] in page.text
    fields = {**form(page), "code": login["user_code"], "decision": decision}
    done = browser.post(login["verification_url"], data=fields)
    assert done.status_code == 200
    outcome = poll(kernel_client, login)
    if decision == "deny":
        assert (outcome.status_code, outcome.json()["detail"]["code"]) == (410, "access_denied")
        return
    got = outcome.json()["data"]
    assert got["account_id"] == kernel.me().account_id
    with kernel.client(got["api_key"]) as client:
        assert client.get("/kernel-jobs").status_code == 200
    assert poll(kernel_client, login).status_code == 410


def test_polling_too_often_is_refused(kernel_client: httpx.Client) -> None:
    login = start(kernel_client)
    answers = [poll(kernel_client, login) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [428, 429]
    assert answers[1].json()["detail"]["code"] == "slow_down"


def test_a_login_expires(
    kernel: LocalKernel, kernel_client: httpx.Client, browser: PlainBrowser
) -> None:
    login = start(kernel_client)
    kernel.skip(600)
    assert poll(kernel_client, login).json()["detail"]["code"] == "expired_token"
    assert browser.get(login["verification_url_complete"]).status_code == 404


def test_a_form_without_its_csrf_token_is_refused(
    kernel_client: httpx.Client, browser: PlainBrowser
) -> None:
    login = start(kernel_client)
    for token in ("", "0" * 64, "ü"):
        fields = {"code": login["user_code"], "csrf_token": token, "decision": "approve"}
        answer = browser.post(login["verification_url"], data=fields)
        assert answer.status_code == 403
    assert poll(kernel_client, login).status_code == 428


def test_a_name_with_markup_is_shown_as_text(
    kernel_client: httpx.Client, browser: PlainBrowser
) -> None:
    login = start(kernel_client, "<script>alert(1)</script>")
    page = browser.get(login["verification_url_complete"])
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
