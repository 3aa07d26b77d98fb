"""axe-core, in Chromium, finds no accessibility problem on any page of the console."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from playwright.sync_api import Page

    from chaojiyuyan_devserver.testing import LocalKernel

TOOLS_FOLDER = Path(
    os.environ.get("CHAOJIYUYAN_NODE_TOOLS") or Path(__file__).parents[2] / ".hatch" / "node"
)
AXE = TOOLS_FOLDER / "node_modules" / "axe-core" / "axe.min.js"
VIOLATIONS = """async () => (await axe.run({resultTypes: ["violations"]})).violations.map(
  (found) => `${found.impact} ${found.id}: ${found.nodes.map((node) => node.html).join(" ")}`)"""

pytestmark = pytest.mark.skipif(
    not AXE.exists(), reason="no axe-core here: scripts/node-tools installs it"
)


@pytest.fixture
def paths(
    kernel: LocalKernel,
    kernel_client: httpx.Client,
    call: Callable[..., str],
    register: Callable[..., None],
) -> list[str]:
    """The address of each kind of page, with content on each."""
    register(kernel_client, "test.echo.v1", "media.echo.v1")
    kernel.configure_webhook("http://127.0.0.1:9/hook", "whsec_x")
    jobs = [call(kernel_client, number=number) for number in range(5)]
    _waiting, running, done, failed, cancelled = jobs
    kernel_client.post(f"/kernel-jobs/{running}/bid", json={})
    artifacts: list[dict[str, Any]] = [
        {"kind": "image", "artifact_uri": "data:image/svg+xml,<svg xmlns='x'/>", "meta": {"a": 1}},
        {"kind": "note", "artifact_uri": "data:text/plain,hello"},
        {"kind": "link", "artifact_uri": "https://example.com/"},
    ]
    kernel.settle(done, {"answer": [1, None, "x"]}, artifacts)
    kernel.fail(failed)
    kernel.cancel(cancelled)
    kernel.set_faults(["list=503"])
    login = kernel_client.post("/oauth/device/authorize", json={"client_name": "laptop"}).json()
    sections = ("", "jobs", "catalog", "workers", "webhooks", "keys", "balances", "simulate")
    return [
        *(f"/{section}" for section in sections),
        *(f"/jobs/{job}" for job in jobs),
        "/jobs?q=nothing+like+it&since=2026-01-01T00:00",
        "/catalog/media.image.campaign",
        "/catalog/test.echo.v1",
        f"/keys/{kernel.me().id}",
        f"/deliveries/{kernel.deliveries()[0]['id']}",
        "/activate",
        f"/activate?code={login['data']['user_code']}",
        "/nothing",
    ]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_axe_finds_no_problems(
    page: Page, complaints: list[str], paths: list[str], width: int, scheme: Any
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    found = {}
    for path in paths:
        page.goto(path)
        page.evaluate(AXE.read_text())
        found[path] = page.evaluate(VIOLATIONS)
    assert {path: violations for path, violations in found.items() if violations} == {}
    complaints.clear()  # also a 404 page
