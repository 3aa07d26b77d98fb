"""Time and faults in the console."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from chaojiyuyan_devserver._faults import PRESETS

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from chaojiyuyan_devserver.testing import LocalKernel

    from .conftest import PlainBrowser


def test_time_is_skipped_to_the_next_deadline(
    kernel: LocalKernel,
    kernel_client: httpx.Client,
    browser: PlainBrowser,
    call: Callable[..., str],
) -> None:
    assert "disabled" in browser.get("/simulate").text
    job_id = call(kernel_client)
    page = browser.get("/simulate").text
    assert f'<a href="/jobs/{job_id}">end of an offer</a>' in page
    page = browser.press("/simulate/skip-next").text
    assert kernel.job(job_id)["status"] == "expired"
    assert re.search(r"Ahead of the machine.*?(9|10) min", page, re.DOTALL)
    assert "The clock is" in browser.get("/jobs").text


def test_seconds_are_skipped(
    kernel: LocalKernel,
    kernel_client: httpx.Client,
    browser: PlainBrowser,
    call: Callable[..., str],
) -> None:
    job_id = call(kernel_client)
    browser.press("/simulate/skip", seconds="300")
    assert kernel.job(job_id)["status"] == "bidding"
    browser.press("/simulate/skip", seconds="301")
    assert kernel.job(job_id)["status"] == "expired"


@pytest.mark.parametrize("seconds", ["0", "-5", "nan", "1e99", "soon", ""])
def test_only_a_valid_duration_is_skipped(browser: PlainBrowser, seconds: str) -> None:
    assert browser.press("/simulate/skip", seconds=seconds).status_code == 400
    assert "The clock is" not in browser.get("/jobs").text


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_turned_on_and_off(
    kernel: LocalKernel, browser: PlainBrowser, name: str
) -> None:
    page = browser.press("/simulate/preset", name=name).text
    assert page.count("Turn off") == 1
    assert "Faults are set" in browser.get("/jobs").text
    page = browser.press("/simulate/preset", name="").text
    assert "Turn off" not in page
    assert "Faults are set" not in browser.get("/jobs").text


def test_faults_can_be_written_as_text(
    kernel: LocalKernel, kernel_client: httpx.Client, browser: PlainBrowser
) -> None:
    page = browser.press("/simulate/faults", faults="list=503@1\r\nget=404").text
    assert "list=503@1" in page
    assert kernel_client.get("/kernel-jobs").status_code == 503
    assert kernel_client.get("/kernel-jobs").status_code == 200
    wrong = browser.press("/simulate/faults", faults="list=sometimes")
    assert wrong.status_code == 400
    assert "No fault was changed" in wrong.text
    assert kernel_client.get("/kernel-jobs/x").json()["detail"]["code"] == "injected_fault"


def test_the_timeline_shows_faults(
    kernel: LocalKernel,
    kernel_client: httpx.Client,
    browser: PlainBrowser,
    call: Callable[..., str],
    register: Callable[..., None],
) -> None:
    register(kernel_client, "test.echo.v1")
    job_id = call(kernel_client)
    kernel_client.post(f"/kernel-jobs/{job_id}/bid", json={})
    kernel.set_faults(["heartbeat=503@1", "heartbeat=expire-lease@2", "get=delay:0.01s"])
    assert kernel_client.post(f"/kernel-jobs/{job_id}/heartbeat").status_code == 503
    assert kernel_client.post(f"/kernel-jobs/{job_id}/heartbeat").status_code == 410
    assert kernel_client.get(f"/kernel-jobs/{job_id}").is_success
    page = browser.get(f"/jobs/{job_id}").text
    first, second = re.findall(r'<ol class="events">.*?</ol>', page, re.DOTALL)
    assert "<code>heartbeat</code> got status 503 and was not served" in first
    assert "the lease expired before <code>heartbeat</code> was served" in first
    assert "heartbeat=expire-lease@2" in first
    assert "<code>get</code> was delayed by 0.01 s" in second


def test_the_next_deadline_is_the_lease_that_a_heartbeat_moved(
    kernel: LocalKernel,
    kernel_client: httpx.Client,
    browser: PlainBrowser,
    call: Callable[..., str],
    register: Callable[..., None],
) -> None:
    register(kernel_client, "test.echo.v1")
    job_id = call(kernel_client)
    kernel_client.post(f"/kernel-jobs/{job_id}/bid", json={})
    kernel.skip(20)
    kernel_client.post(f"/kernel-jobs/{job_id}/heartbeat")
    assert "end of a lease" in browser.get("/simulate").text
    browser.press("/simulate/skip-next")
    assert kernel.job(job_id)["attempts"][0]["status"] == "lease_expired"
