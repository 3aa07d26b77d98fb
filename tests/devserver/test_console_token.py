"""The console of a kernel asks for its token."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from chaojiyuyan_devserver._api import Access, create_app
from chaojiyuyan_devserver._catalog_files import load_builtin
from chaojiyuyan_devserver._service import KernelService
from chaojiyuyan_devserver.kernel import Catalog, Rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaojiyuyan_devserver.testing import LocalKernel


def with_console_token(steps: Callable[[httpx.AsyncClient, KernelService], Any]) -> None:
    """Run ``steps`` against an application whose console token is ``open-sesame``."""

    async def run() -> None:
        service = KernelService(Catalog(load_builtin()), Rules(), None, lambda: None)
        await service.prepare()
        app = create_app(
            service,
            Access(frozenset({"kernel.test"}), "control", "open-sesame"),
            drop=lambda scope: None,
        )
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://kernel.test") as client:
            await steps(client, service)
        await service.close()

    asyncio.run(run())


def test_the_console_opens_only_with_its_token() -> None:
    async def steps(client: httpx.AsyncClient, service: KernelService) -> None:
        login = service.kernel.logins.start("device_1", "BCDF-2345", "program", service.clock())
        csrf = service.form_token
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


def test_the_token_is_printed_at_the_start(kernel: LocalKernel) -> None:
    log = (kernel.folder / "kernel.log").read_text()
    *_, link = re.findall(r"^console: (\S+)$", log, re.MULTILINE)
    with httpx.Client(trust_env=False, follow_redirects=True) as browser:
        assert browser.get(kernel.base_url).status_code == 401
        opened = browser.get(link)
        assert opened.status_code == 200
        assert "token=" not in str(opened.url)
        assert browser.get(opened.url.join("/keys")).status_code == 200


@pytest.mark.parametrize("token", ["open-sesame", " http://kernel.test/?token=open-sesame\n"])
def test_the_form_accepts_the_token_or_the_link(token: str) -> None:
    async def steps(client: httpx.AsyncClient, service: KernelService) -> None:
        assert (await client.post("/enter", data={"token": token})).status_code == 303
        assert (await client.get("/jobs")).status_code == 200

    with_console_token(steps)


@pytest.mark.parametrize("token", ["芝麻开门", "\ud800", "\x00", ""])
def test_a_wrong_token_of_any_text_is_refused(token: str) -> None:
    async def steps(client: httpx.AsyncClient, service: KernelService) -> None:
        form = {"token": token.encode("utf-8", "surrogatepass")}
        answer = await client.post("/enter", data=form)
        assert answer.status_code in (400, 401)
        assert answer.headers["content-type"].startswith("text/html")

    with_console_token(steps)


@pytest.mark.parametrize("token", ["密码", "\udcff", "\n", ""])
def test_any_wrong_token_is_refused_and_the_right_one_works(token: str) -> None:
    async def steps(client: httpx.AsyncClient, service: KernelService) -> None:
        body = {"token": token.encode("utf-8", "surrogateescape"), "target": "/密码"}
        assert (await client.post("/enter", data=body)).status_code in (400, 401)
        entered = await client.post("/enter", data={"token": "open-sesame", "target": "/密码"})
        assert entered.status_code == 303

    with_console_token(steps)


def test_without_a_console_token_the_console_is_open(
    kernel_factory: Callable[..., LocalKernel],
) -> None:
    kernel = kernel_factory(ephemeral=True, no_console_token=True)
    assert "token" not in kernel.console_url
    with httpx.Client(trust_env=False) as browser:
        assert browser.get(kernel.console_url).status_code == 200
        form = {"token": "密码", "target": "/"}
        assert browser.post(f"{kernel.console_url}enter", data=form).status_code == 303


def test_the_api_document_needs_the_token_on_a_network(
    kernel_factory: Callable[..., LocalKernel], kernel: LocalKernel
) -> None:
    remote = kernel_factory(ephemeral=True, allow_remote=True)
    root = remote.base_url.removesuffix("/api/v1")
    token = remote.console_url.partition("token=")[2]
    own = kernel.base_url.removesuffix("/api/v1")
    with httpx.Client(trust_env=False) as browser:
        assert browser.get(f"{root}/openapi.json").status_code == 401
        assert browser.get(f"{root}/openapi.json?token={token}").status_code == 200
        browser.get(remote.console_url)
        assert browser.get(f"{root}/openapi.json").status_code == 200
        assert browser.get(f"{own}/openapi.json").status_code == 200


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
def test_the_token_page_redirects_only_to_this_server(target: str, location: str) -> None:
    async def steps(client: httpx.AsyncClient, service: KernelService) -> None:
        form = {"token": "open-sesame", "target": target}
        entered = await client.post("/enter", data=form)
        assert entered.status_code == 303
        assert entered.headers["location"] == location

    with_console_token(steps)
