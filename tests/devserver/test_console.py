"""The console's pages over HTTP, without a browser: their content and their refusals."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx
import pytest
from fastapi.routing import APIRoute

from chaojiyuyan_devserver._console import router

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from chaojiyuyan_devserver.testing import LocalKernel
    from support.browser import PlainBrowser

PAGES = (
    "/",
    "/jobs",
    "/catalog",
    "/workers",
    "/keys",
    "/webhooks",
    "/balances",
    "/simulate",
    "/activate",
)
SCRIPT = "<script>alert(1)</script>"


def post_paths() -> list[str]:
    found = [route for route in router.routes if isinstance(route, APIRoute)]
    return [route.path for route in found if "POST" in route.methods]


# -- every page --


@pytest.mark.parametrize("path", PAGES)
def test_pages_load_nothing_from_other_servers(browser: PlainBrowser, path: str) -> None:
    page = browser.get(path)
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-store"
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    used = re.findall(r'(?:src|href|action|hx-get|hx-post)="([^"]*)"', page.text)
    assert used
    assert all(address.startswith(("/", "#", "?")) for address in used)
    for address in used:
        if address.startswith("/assets/"):
            assert browser.get(address).status_code == 200
    assert not re.search(r"<style|<script>|\son\w+=|style=", page.text)


def test_the_printed_url_redirects_to_the_console(
    kernel: LocalKernel, browser: PlainBrowser
) -> None:
    assert browser.get(kernel.base_url).url.path == "/"


def test_every_form_needs_its_token(browser: PlainBrowser) -> None:
    paths = post_paths()
    assert len(paths) >= 8
    for path in paths:
        if path == "/enter":  # this form has the console's token instead
            continue
        url = re.sub(r"\{[^}]*\}", "x", path) + "?account=x"
        for fields in ({}, {"csrf_token": "0" * 64}, {"csrf_token": "ü"}):
            form = {"name": "x", "code": "x", "grace": "1", **fields}
            answer = browser.post(url, data=form)
            assert answer.status_code == 403, url
            assert "is not from a page of this server" in answer.text


def test_another_host_name_is_refused(browser: PlainBrowser) -> None:
    assert browser.get("/", headers={"Host": "evil.example"}).status_code == 421


@pytest.mark.parametrize(
    "path",
    [
        "/jobs/x",
        "/keys/x",
        "/catalog/x",
        "/deliveries/x",
        "/webhooks?account=x",
        "/jobs/x/input.json",
        "/jobs/x/artifacts/0",
        "/nothing",
        "/nothing/at/all",
    ],
)
def test_a_missing_thing_gets_a_404_page(browser: PlainBrowser, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 404
    assert "There is no such" in answer.text


def test_only_the_listed_assets_are_served(browser: PlainBrowser) -> None:
    assert browser.get("/assets/htmx.min.js").headers["content-type"].startswith("text/javascript")
    for name in ("page.py", "..%2fpage.py", "nothing.css"):
        assert browser.get(f"/assets/{name}").status_code == 404


# -- untrusted content --


def test_content_is_escaped_everywhere(
    kernel: LocalKernel,
    kernel_client: httpx.Client,
    browser: PlainBrowser,
    call: Callable[..., str],
) -> None:
    keys = {"capability_keys": ["test.echo.v1"]}
    kernel_client.post("/kernel-agents/me/capabilities", json=keys)
    job_id = call(kernel_client, **{SCRIPT: SCRIPT})
    kernel_client.post(f"/kernel-jobs/{job_id}/bid", json={})
    artifacts = [
        {"kind": SCRIPT, "artifact_uri": "javascript:alert(1)", "mime_type": SCRIPT},
        {"kind": "image", "artifact_uri": 'data:image/png,"><script>alert(1)</script>'},
        {"kind": None, "artifact_uri": 7, "size_bytes": "many", "meta": {SCRIPT: SCRIPT}},
    ]
    submission = {"output_envelope": {"a": SCRIPT}, "artifacts": artifacts}
    assert kernel_client.post(f"/kernel-jobs/{job_id}/submit", json=submission).is_success
    login = httpx.post(
        f"{kernel.base_url}/oauth/device/authorize", json={"client_name": SCRIPT}, trust_env=False
    ).json()["data"]
    browser.press("/keys", name=SCRIPT, account="new")
    paths = [*PAGES, f"/jobs/{job_id}", f"/activate?code={login['user_code']}"]
    pages = {path: browser.get(path).text for path in paths}
    assert not [path for path, text in pages.items() if SCRIPT in text]
    assert "&lt;script&gt;" in pages[f"/jobs/{job_id}"]
    assert "&lt;script&gt;" in pages[f"/activate?code={login['user_code']}"]
    assert "javascript:" in pages[f"/jobs/{job_id}"]
    assert 'href="javascript:' not in pages[f"/jobs/{job_id}"]
    assert SCRIPT not in browser.get("/activate", params={"code": SCRIPT}).text
    assert SCRIPT not in browser.get("/jobs", params={"capability": SCRIPT}).text
    raw = browser.get(f"/jobs/{job_id}/output.json")
    assert raw.headers["content-type"] == "application/json"
    assert raw.json() == {"a": SCRIPT}


def test_a_large_payload_is_cut_on_the_page_and_complete_raw(
    kernel_client: httpx.Client, browser: PlainBrowser, call: Callable[..., str]
) -> None:
    text = "é" * 1_000_000
    job_id = call(kernel_client, text=text)
    assert len(browser.get(f"/jobs/{job_id}").text) < 200_000
    assert browser.get(f"/jobs/{job_id}/input.json").json() == {"text": text}


# -- keys --


def test_a_key_is_shown_once_renamed_and_revoked(
    kernel: LocalKernel, browser: PlainBrowser
) -> None:
    made = browser.press("/keys", name="printer").text
    (api_key,) = re.findall(r"nxt_ag_[\w-]{32}", made)
    (agent_id,) = re.findall(r'/keys/(agt_\w+)"><bdi>printer<', made)
    assert not any(api_key in browser.get(path).text for path in ("/keys", f"/keys/{agent_id}"))
    with kernel.client(api_key) as client:
        assert client.get("/kernel-jobs").status_code == 200
        assert "scanner" in browser.press(f"/keys/{agent_id}/name", name="scanner").text
        revoked = browser.press(f"/keys/{agent_id}/revoke")
        assert "revoked" in revoked.text
        assert "Revoke the key" not in revoked.text
        assert client.get("/kernel-jobs").status_code == 401


def test_a_key_needs_a_name(browser: PlainBrowser) -> None:
    for name in ("", "   ", "x" * 201):
        assert browser.press("/keys", name=name).status_code == 400


def test_a_denied_login_gets_no_key(kernel: LocalKernel, browser: PlainBrowser) -> None:
    with httpx.Client(base_url=kernel.base_url, trust_env=False) as program:
        login = program.post("/oauth/device/authorize", json={"client_name": "p"}).json()["data"]
        page = browser.get(login["verification_url_complete"]).text
        assert page.index('value="approve"') < page.index('value="deny"')
        code = login["user_code"]
        assert "Denied" in browser.press("/activate", code=code, decision="deny").text
        poll = {"device_code": login["device_code"]}
        assert program.post("/oauth/device/token", json=poll).status_code == 410
        assert browser.press("/activate", code=code, decision="approve").status_code == 404


# -- calls --


def agent_id(kernel: LocalKernel) -> str:
    return kernel.me().id


def test_a_form_with_fields_calls_a_capability(kernel: LocalKernel, browser: PlainBrowser) -> None:
    form = {"agent": agent_id(kernel), "input.prompt": "tea", "input.count": "2"}
    form |= {"idempotency_key": "k1", "timeout_sec": "60"}
    job_id = browser.press("/catalog/media.image.campaign", **form).url.path.split("/")[-1]
    job = kernel.job(job_id)
    assert job["input_envelope"] == {"prompt": "tea", "count": 2}
    assert (job["idempotency_key"], job["timeout_sec"]) == ("k1", 60)
    again = browser.press("/catalog/media.image.campaign", **form)
    assert again.url.path == f"/jobs/{job_id}"


def test_errors_are_shown_beside_their_fields(kernel: LocalKernel, browser: PlainBrowser) -> None:
    form = {"agent": agent_id(kernel), "input.prompt": "tea", "input.count": "9"}
    answer = browser.press("/catalog/media.image.campaign", **form)
    assert answer.status_code == 400
    assert "9 is greater than the maximum of 8" in answer.text
    assert 'value="9"' in answer.text
    assert "tea" in answer.text
    form = {"agent": agent_id(kernel), "timeout_sec": "x"}
    answer = browser.press("/catalog/media.image.campaign", **form)
    assert "whole number of seconds" in answer.text


def test_a_form_with_json_calls_a_capability(kernel: LocalKernel, browser: PlainBrowser) -> None:
    form = {"agent": agent_id(kernel), "json": '{"a": [1, {"b": null}]}'}
    job_id = browser.press("/catalog/test.echo.v1", **form).url.path.split("/")[-1]
    assert kernel.job(job_id)["input_envelope"] == {"a": [1, {"b": None}]}
    for wrong in ('{"a": ', "[]", '{"a": "\\ud800"}'):
        answer = browser.press("/catalog/test.echo.v1", agent=agent_id(kernel), json=wrong)
        assert answer.status_code == 400
        assert "was not sent" in answer.text


def test_a_call_that_costs_too_much_is_refused(kernel: LocalKernel, browser: PlainBrowser) -> None:
    poor = kernel.new_agent("poor", balance_nc=0)
    answer = browser.press("/catalog/test.echo.v1", agent=poor.id, json="{}")
    assert answer.status_code == 400
    assert "The job costs 1 nc" in answer.text


def test_a_capability_may_have_any_name(
    kernel_factory: Callable[..., LocalKernel],
    open_browser: Callable[[LocalKernel], PlainBrowser],
    tmp_path: Path,
) -> None:
    catalog = tmp_path / "catalog.json"
    catalog.write_text('[{"capability_key": "图/a b?c#d%2e\\"", "price_nc": 1}]')
    kernel = kernel_factory(catalog=catalog)
    with open_browser(kernel) as browser:
        (link,) = re.findall(r'href="(/catalog/%[^"]*)"', browser.get("/catalog").text)
        page = browser.get(link)
        (action,) = re.findall(r'method="post" action="([^"]*)"', page.text)
        called = browser.press(action, agent=agent_id(kernel), json="{}")
        assert called.url.path.startswith("/jobs/job_")
        assert link in called.text
