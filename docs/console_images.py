"""Takes the pictures of the console that the documentation shows: ``docs/images/console-*.png``.

Run it in the tests' environment; it needs Debian's ``chromium`` and ``fonts-noto-cjk``::

    python docs/console_images.py
"""

from __future__ import annotations

import hashlib
import random
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Browser, sync_playwright

from chaojiyuyan_devserver.testing import LocalKernel

if TYPE_CHECKING:
    import httpx

FOLDER = Path(__file__).parent / "images"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
DESKTOP = {"width": 1280, "height": 900}
TALL = {"width": 1280, "height": 1180}
PHONE = {"width": 390, "height": 780}
POSTER = (
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 640 300'>"
    "<rect width='640' height='300' fill='%23f59e0b'/>"
    "<path d='M0 300 L90 210 L250 300 L520 150 L640 220 V300 Z' fill='%230f766e'/>"
    "<circle cx='500' cy='110' r='64' fill='%23fef3c7'/>"
    "<path d='M0 300 L180 130 L320 260 L420 190 L640 300' fill='%23134e4a'/></svg>"
)


def main() -> None:
    """Fill a kernel with a small scene and photograph it."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, LocalKernel(Path(folder)) as kernel:
        scene = fill(kernel)
        site = kernel.base_url.removesuffix("/api/v1")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
            token = kernel.console_url.partition("token=")[2]
            job, failed = f"{site}/jobs/{scene.campaign}", f"{site}/jobs/{scene.failed}"
            take(browser, "console-overview", f"{site}/?token={token}", DESKTOP, "light")
            take(browser, "console-jobs", f"{site}/jobs?token={token}", DESKTOP, "dark")
            take(browser, "console-job", f"{job}?token={token}", TALL, "dark")
            take(browser, "console-failed", f"{failed}?token={token}", DESKTOP, "light")
            take(browser, "console-jobs-phone", f"{site}/jobs?token={token}", PHONE, "light")
            take(browser, "console-login-phone", f"{scene.login}&token={token}", PHONE, "dark")
            browser.close()


def take(browser: Browser, name: str, url: str, size: Any, scheme: Any) -> None:
    """Photograph a page."""
    page = browser.new_page(
        viewport=size, color_scheme=scheme, device_scale_factor=1, reduced_motion="reduce"
    )
    page.goto(url)
    page.evaluate("document.fonts.ready")
    path = FOLDER / f"{name}.png"
    page.screenshot(path=path, animations="disabled")
    page.close()
    print(f"{path.relative_to(FOLDER.parent.parent)}: {path.stat().st_size:,} bytes")


@dataclass(frozen=True)
class Scene:
    """What there is to look at: two jobs by their ids, and a login by its address."""

    campaign: str
    failed: str
    login: str


def fill(kernel: LocalKernel) -> Scene:
    """Make a quarter of an hour with jobs in every state."""
    chance = random.Random(4)  # the same pictures each time
    digest = kernel.client(kernel.new_agent("digest worker").api_key)
    studio = kernel.client(kernel.new_agent("图像工作室 Studio").api_key)
    with kernel.client() as caller, digest, studio:
        register(digest, "text.digest.v1")
        register(studio, "media.image.campaign")
        call(caller, "media.echo.v1", topic="harbour")  # nobody takes it in time
        texts = ("The tide turns at six.", "潮水六点转向。", "Ships in the night.")
        for number in range(70):
            text = chance.choice(texts)
            job_id = call(caller, "text.digest.v1", text=text, filename=f"{number}.md")
            kernel.skip(chance.uniform(0.1, 3))
            summarise(kernel, digest, job_id, chance.lognormvariate(-0.5, 1))
            kernel.skip(chance.uniform(0.5, 14))
        failed = call(caller, "text.digest.v1", text="Fog.", filename="fog.md")
        for seconds in (0.8, 3.1, 1.9):
            kernel.skip(seconds)
            digest.post(f"/kernel-jobs/{failed}/bid", json={})
            kernel.skip(12)
            digest.post(f"/kernel-jobs/{failed}/heartbeat")
            kernel.skip(30)
        kernel.cancel(call(caller, "test.echo.v1", hello="world"))
        campaign = make_campaign(kernel, caller, studio)
        for number in range(70, 84):
            job_id = call(caller, "text.digest.v1", text=texts[2], filename=f"{number}.md")
            summarise(kernel, digest, job_id, chance.lognormvariate(-0.5, 1))
            kernel.skip(chance.uniform(0.5, 3))
        running = call(caller, "text.digest.v1", text="Ships in the night.", filename="log.md")
        digest.post(f"/kernel-jobs/{running}/bid", json={})
        call(caller, "test.echo.v1", hello="again")
        login = caller.post("/oauth/device/authorize", json={"client_name": "Lin's laptop"})
        return Scene(campaign, failed, login.json()["data"]["verification_url_complete"])


def make_campaign(kernel: LocalKernel, caller: httpx.Client, studio: httpx.Client) -> str:
    """Let a job be lost by one worker's crash, meet a fault, and succeed; returns its id."""
    brief = {"prompt": "A tea house above the harbour, evening light", "count": 1}
    campaign = call(caller, "media.image.campaign", **brief)
    kernel.skip(1.4)
    studio.post(f"/kernel-jobs/{campaign}/bid", json={})
    kernel.skip(30)
    kernel.skip(0.9)
    studio.post(f"/kernel-jobs/{campaign}/bid", json={})
    kernel.set_faults(["heartbeat=503@2"])
    for _ in range(4):
        kernel.skip(8)
        studio.post(f"/kernel-jobs/{campaign}/heartbeat")
    kernel.clear_faults()
    kernel.skip(3)
    artifact = {
        "kind": "image",
        "artifact_uri": POSTER,
        "mime_type": "image/svg+xml",
        "size_bytes": len(POSTER),
    }
    output = {"title": "茶馆 · Tea house", "images": 1, "palette": ["#0f766e", "#f59e0b"]}
    submission = {"output_envelope": output, "artifacts": [artifact]}
    studio.post(f"/kernel-jobs/{campaign}/submit", json=submission).raise_for_status()
    kernel.skip(2)
    return campaign


def register(worker: httpx.Client, *capabilities: str) -> None:
    """Register a worker."""
    worker.post("/kernel-agents/me/capabilities", json={"capability_keys": capabilities})


def call(caller: httpx.Client, capability: str, **payload: object) -> str:
    """Call a capability; returns the job's id."""
    body = {"capability_key": capability, "input_payload": payload}
    return str(caller.post("/kernel-jobs", json=body).json()["data"]["id"])


def summarise(kernel: LocalKernel, worker: httpx.Client, job_id: str, seconds: float) -> None:
    """Take a text.digest.v1 job and settle it some time later."""
    worker.post(f"/kernel-jobs/{job_id}/bid", json={})
    kernel.skip(min(seconds, 20))
    sha256 = hashlib.sha256(job_id.encode()).hexdigest()
    output = {"lines": 1, "words": 5, "bytes": 22, "sha256": sha256}
    worker.post(f"/kernel-jobs/{job_id}/submit", json={"output_envelope": output})


if __name__ == "__main__":
    main()
