"""A job's page: its timeline, why it failed, and running it again."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from chaojiyuyan_devserver.testing import LocalKernel

    from .conftest import PlainBrowser


def text_of(page: httpx.Response) -> str:
    """The page's text without tags, in one line."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page.text)).split())


@pytest.fixture
def echo(kernel_client: httpx.Client, register: Callable[..., None]) -> httpx.Client:
    register(kernel_client, "test.echo.v1", "text.digest.v1")
    return kernel_client


def lose(kernel: LocalKernel, client: httpx.Client, job_id: str, times: int = 3) -> None:
    for _ in range(times):
        client.post(f"/kernel-jobs/{job_id}/bid", json={}).raise_for_status()
        kernel.skip(30)


# -- the timeline --


def test_events_are_listed_by_attempt_with_seconds(
    kernel: LocalKernel, browser: PlainBrowser, echo: httpx.Client, call: Callable[..., str]
) -> None:
    job_id = call(echo)
    kernel.skip(60)
    lose(kernel, echo, job_id, 1)
    echo.post(f"/kernel-jobs/{job_id}/bid", json={})
    echo.post(f"/kernel-jobs/{job_id}/heartbeat")
    kernel.skip(12)
    echo.post(f"/kernel-jobs/{job_id}/submit", json={"output_envelope": {}})
    page = browser.get(f"/jobs/{job_id}").text
    groups = re.findall(r'<div class="attempt">.*?</ol>', page, re.DOTALL)
    assert len(groups) == 2
    assert "Attempt 1" in groups[0]
    assert "lease expired" in groups[0]
    assert re.findall(r">\+(\d+)\.\d+ s<", groups[0]) == ["0", "0", "60", "90"]
    assert re.findall(r">\+(\d+)\.\d+ s<", groups[1]) == ["90", "90", "102"]
    assert re.search(r"1 min in the queue.*30(\.\d)? s running", groups[0])
    assert re.search(r"12(\.\d)? s running.*1[78](\.\d)? s of the lease left", groups[1])
    assert "1 heartbeat<" in groups[1]
    kinds = [re.findall(r'<rect class="([\w ]+)"', group) for group in groups]
    assert kinds == [["queue", "run lease_expired"], ["queue", "run succeeded", "margin"]]
    assert "min ago" not in "".join(groups)


def test_a_waiting_job_is_shown_as_waiting(
    kernel: LocalKernel, browser: PlainBrowser, kernel_client: httpx.Client, call: Any
) -> None:
    text = text_of(browser.get(f"/jobs/{call(kernel_client)}"))
    assert re.search(r"offered to workers; expires in \d+ min", text)
    assert "Waiting for a worker" in text


# -- why it failed --


def test_a_lost_lease_is_explained(
    kernel: LocalKernel, browser: PlainBrowser, echo: httpx.Client, call: Callable[..., str]
) -> None:
    job_id = call(echo)
    lose(kernel, echo, job_id)
    text = text_of(browser.get(f"/jobs/{job_id}"))
    assert "attempt_exhausted" in text
    assert "the worker's lease expired because no heartbeat arrived in time" in text
    assert "Read the worker's log" in text


def test_an_invalid_output_is_explained(
    browser: PlainBrowser, echo: httpx.Client, call: Callable[..., str]
) -> None:
    job_id = call(echo, "text.digest.v1", text="x")
    for _ in range(3):
        echo.post(f"/kernel-jobs/{job_id}/bid", json={})
        for _ in range(3):
            echo.post(f"/kernel-jobs/{job_id}/submit", json={"output_envelope": {"lines": "x"}})
    text = text_of(browser.get(f"/jobs/{job_id}"))
    assert "did not match the output schema of text.digest.v1" in text
    assert "'words' is a required property" in text
    assert "output invalid" in text


@pytest.mark.parametrize(
    ("seconds", "timeout", "said"),
    [
        (601, 3600, "no worker bid for it in time. Workers that handle test.echo.v1 now: 0"),
        (31, 30, "timeout of 30 s passed before any worker took it"),
    ],
)
def test_an_expired_job_is_explained(
    kernel: LocalKernel,
    browser: PlainBrowser,
    kernel_client: httpx.Client,
    seconds: float,
    timeout: int,
    said: str,
) -> None:
    body = {"capability_key": "test.echo.v1", "input_payload": {}, "timeout_sec": timeout}
    job_id = kernel_client.post("/kernel-jobs", json=body).json()["data"]["id"]
    kernel.skip(seconds)
    text = text_of(browser.get(f"/jobs/{job_id}")).replace(" .", ".")
    assert said in text
    assert "Start a worker: chaojiyuyan worker test.echo.v1" in text


def test_an_unknown_error_code_is_explained(
    kernel: LocalKernel, browser: PlainBrowser, kernel_client: httpx.Client, call: Any
) -> None:
    job_id = call(kernel_client)
    kernel.fail(job_id, "<b>mine</b>", "<i>it broke</i>")
    page = browser.get(f"/jobs/{job_id}")
    assert "&lt;b&gt;mine&lt;/b&gt;" in page.text
    assert "<i>it broke" not in page.text
    assert "an error code that the kernel itself does not use" in text_of(page)


# -- running it again --


def test_a_job_is_run_again(
    kernel: LocalKernel, browser: PlainBrowser, kernel_client: httpx.Client, call: Any
) -> None:
    job_id = call(kernel_client, text="潮水 & <tide>")
    held = kernel.balance()["held_nc"]
    page = browser.get(f"/jobs/{job_id}").text
    (written,) = re.findall(r"<textarea[^>]*name=\"json\"[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
    again = browser.press(f"/jobs/{job_id}/rerun", json=unescape(written)).url.path.split("/")[-1]
    assert again != job_id
    assert kernel.job(again)["input_envelope"] == {"text": "潮水 & <tide>"}
    assert kernel.job(again)["idempotency_key"].startswith("rerun-")
    assert kernel.balance()["held_nc"] == held + 1
    edited = browser.press(f"/jobs/{job_id}/rerun", json='{"text": "ebb"}').url.path.split("/")[-1]
    assert kernel.job(edited)["input_envelope"] == {"text": "ebb"}


def test_errors_of_a_rerun_are_shown(
    kernel: LocalKernel, browser: PlainBrowser, kernel_client: httpx.Client, call: Any
) -> None:
    job_id = call(kernel_client, "text.digest.v1", text="x")
    for text, said in (
        ('{"text": ', "This is not JSON"),
        ("[]", "must be a JSON object"),
        ('{"text": 7}', "7 is not of type 'string'"),
    ):
        answer = browser.press(f"/jobs/{job_id}/rerun", json=text)
        assert answer.status_code == 400
        assert "The call was not sent" in answer.text
        assert said in unescape(answer.text)
        assert text in unescape(answer.text)
    assert len(kernel_client.get("/kernel-jobs").json()["data"]["items"]) == 1


def test_an_input_too_long_to_edit_is_rerun_unchanged(
    kernel: LocalKernel, browser: PlainBrowser, kernel_client: httpx.Client, call: Any
) -> None:
    job_id = call(kernel_client, text="é" * 200_000)
    page = browser.get(f"/jobs/{job_id}").text
    assert 'name="json"' not in page
    again = browser.press(f"/jobs/{job_id}/rerun").url.path.split("/")[-1]
    assert kernel.job(again)["input_envelope"] == {"text": "é" * 200_000}


def test_the_ready_agent_pays_for_a_revoked_callers_rerun(
    kernel: LocalKernel, browser: PlainBrowser, call: Callable[..., str]
) -> None:
    other = kernel.new_agent("other")
    with kernel.client(other.api_key) as client:
        job_id = call(client)
    browser.press(f"/keys/{other.id}/revoke")
    again = browser.press(f"/jobs/{job_id}/rerun").url.path.split("/")[-1]
    assert kernel.job(again)["agent_id"] == kernel.me().id


# -- time --


def test_the_clock_skips_to_the_end_of_the_lease(
    kernel: LocalKernel, browser: PlainBrowser, echo: httpx.Client, call: Callable[..., str]
) -> None:
    job_id = call(echo)
    echo.post(f"/kernel-jobs/{job_id}/bid", json={})
    assert "Skip to the end of the lease" in browser.get(f"/jobs/{job_id}").text
    page = browser.press(f"/jobs/{job_id}/skip")
    assert kernel.job(job_id)["attempts"][0]["status"] == "lease_expired"
    assert "Skip to the end of the offer" in page.text


# -- artifacts --

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9aw"
    "AAAABJRU5ErkJggg=="
)


def test_artifacts_are_shown_but_not_run(
    kernel: LocalKernel, browser: PlainBrowser, kernel_client: httpx.Client, call: Any
) -> None:
    artifacts = [
        {"kind": "image", "artifact_uri": f"data:image/png;base64,{PIXEL}"},
        {"kind": "drawing", "artifact_uri": "data:image/svg+xml,<svg onload='alert(1)'/>"},
        {"kind": "note", "artifact_uri": "data:text/plain,a%20%3Cb%3E"},
        {"kind": "page", "artifact_uri": "data:text/html,<script>alert(1)</script>"},
        {"kind": "link", "artifact_uri": "https://example.com/x.png", "size_bytes": True},
        {"kind": "bad", "artifact_uri": "data:image/png;base64,!!!"},
        {"kind": "script", "artifact_uri": "javascript:alert(1)"},
        {"kind": "song", "artifact_uri": "data:audio/mpeg;base64,AAAA"},
    ]
    job_id = call(kernel_client)
    kernel.settle(job_id, {}, artifacts)
    page = browser.get(f"/jobs/{job_id}")
    shown = page.text.partition("<main")[2]
    assert re.findall(r'<(img|audio|video)[^>]* src="([^"]*)"', shown) == [
        ("img", f"/jobs/{job_id}/artifacts/0"),
        ("img", f"/jobs/{job_id}/artifacts/1"),
        ("audio", f"/jobs/{job_id}/artifacts/7"),
    ]
    assert "a &lt;b&gt;" in page.text
    assert "<script>alert" not in page.text
    assert 'href="https://example.com/x.png" rel="noreferrer noopener nofollow"' in page.text
    assert "data:" not in page.headers["content-security-policy"]
    picture = browser.get(f"/jobs/{job_id}/artifacts/0")
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
    drawing = browser.get(f"/jobs/{job_id}/artifacts/1")
    assert "sandbox" in drawing.headers["content-security-policy"]
    assert "script-src" not in drawing.headers["content-security-policy"]
    assert drawing.headers["x-content-type-options"] == "nosniff"
    for place in (2, 3, 4, 5, 6, 8, 10_000):
        assert browser.get(f"/jobs/{job_id}/artifacts/{place}").status_code >= 400
