"""The console's pages over HTTP, as any client gets them: what they show and what they refuse."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import queue
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi.routing import APIRoute

from chaojiyuyan_devserver.api import create_app
from chaojiyuyan_devserver.catalog import Catalog, builtin
from chaojiyuyan_devserver.console.csrf import form_token
from chaojiyuyan_devserver.console.routes import ROUTERS
from chaojiyuyan_devserver.kernel import Rules
from chaojiyuyan_devserver.service import KernelService

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chaojiyuyan_devserver.testing import LocalKernel

PAGES = ("/", "/jobs", "/catalog", "/workers", "/keys", "/webhooks", "/balances", "/activate")
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def browser(kernel: LocalKernel) -> Iterator[httpx.Client]:
    """A client without any key, as a browser is."""
    with httpx.Client(
        base_url=str(httpx.URL(kernel.base_url).copy_with(path="/")),
        trust_env=False,
        follow_redirects=True,
        timeout=30,
    ) as client:
        yield client


def token(browser: httpx.Client, path: str = "/keys") -> str:
    found = re.search(r'name="csrf_token" value="(\w+)"', browser.get(path).text)
    assert found is not None
    return found.group(1)


def press(browser: httpx.Client, path: str, **fields: str) -> httpx.Response:
    """Submit a form."""
    return browser.post(path, data={"csrf_token": token(browser), **fields})


def call(client: httpx.Client, capability: str = "test.echo.v1", **payload: object) -> str:
    answer = client.post(
        "/kernel-jobs", json={"capability_key": capability, "input_payload": payload}
    )
    return str(answer.json()["data"]["id"])


def post_paths() -> list[str]:
    found = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    return [route.path for route in found if "POST" in route.methods]


# -- every page -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
def test_a_page_needs_nothing_from_a_network(browser: httpx.Client, path: str) -> None:
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


def test_the_printed_url_leads_to_the_console(kernel: LocalKernel, browser: httpx.Client) -> None:
    assert browser.get(kernel.base_url).url.path == "/"


def test_every_form_needs_its_token(browser: httpx.Client) -> None:
    paths = post_paths()
    assert len(paths) >= 8
    for path in paths:
        if path == "/enter":  # it asks for another secret
            continue
        url = re.sub(r"\{[^}]*\}", "x", path) + "?account=x"
        for fields in ({}, {"csrf_token": "0" * 64}, {"csrf_token": "ü"}):
            form = {"name": "x", "code": "x", "grace": "1", **fields}
            answer = browser.post(url, data=form)
            assert answer.status_code == 403, url
            assert "did not come from this server" in answer.text


def test_another_host_name_is_refused(browser: httpx.Client) -> None:
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
    ],
)
def test_what_is_not_there_is_said_in_a_page(browser: httpx.Client, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 404
    assert "There is no such" in answer.text


def test_assets_are_only_the_files_that_are_meant(browser: httpx.Client) -> None:
    assert browser.get("/assets/htmx.min.js").headers["content-type"].startswith("text/javascript")
    for name in ("page.py", "..%2fpage.py", "nothing.css"):
        assert browser.get(f"/assets/{name}").status_code == 404


# -- what others sent -----------------------------------------------------------------------------


def test_content_is_escaped_wherever_it_is_shown(
    kernel: LocalKernel, kernel_client: httpx.Client, browser: httpx.Client
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
    press(browser, "/keys", name=SCRIPT, account="new")
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


def test_a_very_large_payload_is_cut_on_the_page_and_whole_beside_it(
    kernel_client: httpx.Client, browser: httpx.Client
) -> None:
    text = "é" * 1_000_000
    job_id = call(kernel_client, text=text)
    assert len(browser.get(f"/jobs/{job_id}").text) < 200_000
    assert browser.get(f"/jobs/{job_id}/input.json").json() == {"text": text}


# -- keys -----------------------------------------------------------------------------------------


def test_a_key_is_shown_once_named_and_revoked(kernel: LocalKernel, browser: httpx.Client) -> None:
    made = press(browser, "/keys", name="printer").text
    (api_key,) = re.findall(r"nxt_ag_[\w-]{32}", made)
    (agent_id,) = re.findall(r'/keys/(agt_\w+)"><strong><bdi>printer<', made)
    assert not any(api_key in browser.get(path).text for path in ("/keys", f"/keys/{agent_id}"))
    with kernel.client(api_key) as client:
        assert client.get("/kernel-jobs").status_code == 200
        assert "scanner" in press(browser, f"/keys/{agent_id}/name", name="scanner").text
        revoked = press(browser, f"/keys/{agent_id}/revoke")
        assert "revoked" in revoked.text
        assert "Revoke the key" not in revoked.text
        assert client.get("/kernel-jobs").status_code == 401


def test_a_key_needs_a_name(browser: httpx.Client) -> None:
    assert press(browser, "/keys", name="").status_code == 400


def test_a_denied_login_gets_no_key(kernel: LocalKernel, browser: httpx.Client) -> None:
    with httpx.Client(base_url=kernel.base_url, trust_env=False) as program:
        login = program.post("/oauth/device/authorize", json={"client_name": "p"}).json()["data"]
        page = browser.get(login["verification_url_complete"]).text
        assert page.index('value="approve"') < page.index('value="deny"')
        code = login["user_code"]
        assert "Denied" in press(browser, "/activate", code=code, decision="deny").text
        poll = {"device_code": login["device_code"]}
        assert program.post("/oauth/device/token", json=poll).status_code == 410
        assert press(browser, "/activate", code=code, decision="approve").status_code == 404


# -- calls ----------------------------------------------------------------------------------------


def agent_id(kernel: LocalKernel) -> str:
    return kernel.me().id


def test_a_call_from_fields(kernel: LocalKernel, browser: httpx.Client) -> None:
    form = {"agent": agent_id(kernel), "input.prompt": "tea", "input.count": "2"}
    form |= {"idempotency_key": "k1", "timeout_sec": "60"}
    job_id = press(browser, "/catalog/media.image.campaign", **form).url.path.split("/")[-1]
    job = kernel.job(job_id)
    assert job["input_envelope"] == {"prompt": "tea", "count": 2}
    assert (job["idempotency_key"], job["timeout_sec"]) == ("k1", 60)
    again = press(browser, "/catalog/media.image.campaign", **form)
    assert again.url.path == f"/jobs/{job_id}"


def test_what_is_wrong_with_fields_stands_beside_them(
    kernel: LocalKernel, browser: httpx.Client
) -> None:
    form = {"agent": agent_id(kernel), "input.prompt": "tea", "input.count": "9"}
    answer = press(browser, "/catalog/media.image.campaign", **form)
    assert answer.status_code == 400
    assert "9 is greater than the maximum of 8" in answer.text
    assert 'value="9"' in answer.text
    assert "tea" in answer.text
    answer = press(
        browser, "/catalog/media.image.campaign", agent=agent_id(kernel), timeout_sec="x"
    )
    assert "whole number of seconds" in answer.text


def test_a_call_from_json(kernel: LocalKernel, browser: httpx.Client) -> None:
    form = {"agent": agent_id(kernel), "json": '{"a": [1, {"b": null}]}'}
    job_id = press(browser, "/catalog/test.echo.v1", **form).url.path.split("/")[-1]
    assert kernel.job(job_id)["input_envelope"] == {"a": [1, {"b": None}]}
    for wrong in ('{"a": ', "[]", '{"a": "\\ud800"}'):
        answer = press(browser, "/catalog/test.echo.v1", agent=agent_id(kernel), json=wrong)
        assert answer.status_code == 400
        assert "was not sent" in answer.text


def test_a_call_that_costs_too_much_is_refused(kernel: LocalKernel, browser: httpx.Client) -> None:
    poor = kernel.new_agent("poor", balance_nc=0)
    answer = press(browser, "/catalog/test.echo.v1", agent=poor.id, json="{}")
    assert answer.status_code == 402 or "costs 1 nc" in answer.text


# -- jobs -----------------------------------------------------------------------------------------


def listed(page: httpx.Response) -> list[str]:
    return re.findall(r'<tr id="row-(job_\w+)"', page.text)


def test_pages_of_jobs_hold_each_once_there_and_back(
    kernel_factory: Callable[..., LocalKernel],
) -> None:
    kernel = kernel_factory()
    with (
        kernel.client() as client,
        httpx.Client(base_url=kernel.base_url.removesuffix("/api/v1"), trust_env=False) as browser,
    ):
        made = [call(client, number=number) for number in range(120)]
        kernel.cancel(made[7])
        page, seen = browser.get("/jobs"), []
        while True:
            seen.append(listed(page))
            older = re.search(r'rel="next" href="([^"]*)"', page.text)
            if older is None:
                break
            page = browser.get(older.group(1).replace("&amp;", "&"))
        assert [len(jobs) for jobs in seen] == [50, 50, 20]
        assert [job for jobs in seen for job in jobs] == made[::-1]
        for expected in reversed(seen[:-1]):
            newer = re.search(r'rel="prev" href="([^"]*)"', page.text)
            assert newer is not None
            page = browser.get(newer.group(1).replace("&amp;", "&"))
            assert listed(page) == expected
        cancelled = browser.get("/jobs?status=cancelled")
        assert listed(cancelled) == [made[7]]
        assert "cancelled <span>1</span>" in cancelled.text
        assert listed(browser.get("/jobs?capability=text.digest.v1")) == []
        assert listed(browser.get("/jobs?status=nonsense")) == []


def test_a_change_is_told_to_a_page_that_listens(
    kernel_factory: Callable[..., LocalKernel],
) -> None:
    kernel = kernel_factory()
    with (
        kernel.client() as client,
        httpx.Client(
            base_url=kernel.base_url.removesuffix("/api/v1"), trust_env=False, timeout=10
        ) as browser,
    ):
        job_id = call(client)
        with browser.stream("GET", f"/live?on={job_id}") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            lines = (line for line in stream.iter_lines() if line.startswith("event:"))
            assert next(lines) == "event: changed"  # at once: the page may be old already
            kernel.cancel(job_id)
            assert next(lines) == "event: changed"
            kernel.stop()
            assert list(lines) == []


def test_workers_and_balances(
    kernel: LocalKernel, kernel_client: httpx.Client, browser: httpx.Client
) -> None:
    assert "No worker has registered yet" in browser.get("/workers").text
    keys = {"capability_keys": ["test.echo.v1"]}
    kernel_client.post("/kernel-agents/me/capabilities", json=keys)
    job_id = call(kernel_client)
    kernel_client.post(f"/kernel-jobs/{job_id}/bid", json={})
    workers = browser.get("/workers").text
    assert "working" in workers
    assert f"/jobs/{job_id}" in workers
    balances = browser.get("/balances").text
    assert re.search(r"Sum over all accounts</td><td[^>]*>0 nc<", balances)
    assert job_id in balances


# -- webhooks -------------------------------------------------------------------------------------


@pytest.fixture
def receiver() -> Iterator[tuple[str, queue.Queue[tuple[bytes, str]]]]:
    """A webhook's receiver: its URL, and what arrived, body and signature."""
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


def test_webhooks_are_set_delivered_rotated_and_sent_again(
    kernel: LocalKernel,
    kernel_client: httpx.Client,
    browser: httpx.Client,
    receiver: tuple[str, queue.Queue[tuple[bytes, str]]],
) -> None:
    url, arrived = receiver
    account = kernel.me().account_id
    page = press(browser, f"/webhooks?account={account}", url=url)
    (secret,) = re.findall(r'id="secret">(whsec_[\w-]+)<', page.text)
    kernel.cancel(call(kernel_client))
    body, signature = arrived.get(timeout=10)
    assert json.loads(body)["event"] == "job.cancelled"
    assert signature == signed(secret, body)

    page = press(browser, f"/webhooks/secret?account={account}", grace="3600")
    (rotated,) = re.findall(r'id="secret">(whsec_[\w-]+)<', page.text)
    assert rotated != secret
    assert secret in page.text  # accepted for an hour more
    delivery = re.findall(r'<tr id="row-(dlv_\w+)"', page.text)[0]
    again = press(browser, f"/deliveries/{delivery}/resend")
    assert again.url.path.startswith("/deliveries/dlv_")
    assert again.url.path != f"/deliveries/{delivery}"
    assert arrived.get(timeout=10) == (body, signed(rotated, body))

    kernel.advance(3700)
    assert secret not in browser.get(f"/webhooks?account={account}").text


@pytest.mark.parametrize("url", ["ftp://x", "javascript:alert(1)", "nonsense"])
def test_only_web_addresses_are_taken(kernel: LocalKernel, browser: httpx.Client, url: str) -> None:
    answer = press(browser, f"/webhooks?account={kernel.me().account_id}", url=url)
    assert answer.status_code == 400
    assert "must start with http" in answer.text


# -- open to the network --------------------------------------------------------------------------


def with_console_token(steps: Callable[[httpx.AsyncClient, KernelService], Any]) -> None:
    """Run some steps against an application whose console asks for the token ``open-sesame``."""

    async def run() -> None:
        service = KernelService(Catalog(builtin()), Rules(), None, lambda: None)
        await service.prepare_ready_agent(None)
        app = create_app(
            service,
            hosts=frozenset({"kernel.test"}),
            control_token="control",
            drop=lambda scope: None,
            console_token="open-sesame",
        )
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://kernel.test") as client:
            await steps(client, service)
        await service.close()

    asyncio.run(run())


def test_with_a_token_the_console_opens_only_to_it() -> None:
    async def steps(client: httpx.AsyncClient, service: KernelService) -> None:
        login, _ = await service.start_login("program")
        csrf = form_token(service)
        approval = {"code": login.user_code, "decision": "approve", "csrf_token": csrf}
        for answer in (
            await client.get("/"),
            await client.get("/jobs?status=failed"),
            await client.get("/?token=wrong"),
            await client.get("/live?on=Job"),
            await client.get("/", headers={"Cookie": "chaojiyuyan_console_80=wrong"}),
            await client.post("/keys", data={"name": "x", "csrf_token": csrf}),
            await client.post("/activate", data=approval),
            await client.post("/enter", data={"token": "wrong"}),
        ):
            assert answer.status_code == 401
            assert "Console token" in answer.text
            assert csrf not in answer.text
        assert login.status == "pending"
        assert len(service.kernel.agents.by_id) == 1

        entered = await client.get("/activate?code=X&token=open-sesame")
        assert entered.status_code == 303
        assert "token" not in entered.headers["location"]
        cookie = entered.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert (await client.get("/jobs")).status_code == 200
        assert (await client.post("/activate", data=approval)).status_code == 200
        assert login.status == "approved"

    with_console_token(steps)


def test_the_token_is_told_to_who_starts_the_kernel(
    kernel_factory: Callable[..., LocalKernel],
) -> None:
    kernel = kernel_factory(allow_remote=True)
    log = (kernel.folder / "kernel.log").read_text()
    (link,) = re.findall(r"^console: (\S+)$", log, re.MULTILINE)
    with httpx.Client(trust_env=False, follow_redirects=True) as browser:
        assert browser.get(kernel.base_url).status_code == 401
        opened = browser.get(link)
        assert opened.status_code == 200
        assert "token=" not in str(opened.url)
        assert browser.get(opened.url.join("/keys")).status_code == 200


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/jobs?status=failed", "/jobs?status=failed"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("", "/"),
    ],
)
def test_the_token_leads_only_to_this_server(target: str, location: str) -> None:
    async def steps(client: httpx.AsyncClient, service: KernelService) -> None:
        form = {"token": "open-sesame", "target": target}
        entered = await client.post("/enter", data=form)
        assert entered.status_code == 303
        assert entered.headers["location"] == location

    with_console_token(steps)
