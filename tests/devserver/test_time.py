"""Skipping time: deadlines in the skipped time take effect in order."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from chaojiyuyan_devserver.__main__ import main

if TYPE_CHECKING:
    import httpx

    from chaojiyuyan_devserver.testing import LocalKernel

ECHO = {"capability_key": "test.echo.v1"}


def call(client: httpx.Client, **more: Any) -> str:
    return str(client.post("/kernel-jobs", json={**ECHO, **more}).json()["data"]["id"])


def register(client: httpx.Client) -> None:
    client.post("/kernel-agents/me/capabilities", json={"capability_keys": ["test.echo.v1"]})


def seconds(job: dict[str, Any], event_type: str) -> float:
    """Return the seconds from the job's creation to an event."""
    [at] = [e["created_at"] for e in job["events"] if e["event_type"] == event_type]
    moments = [datetime.fromisoformat(t.replace("Z", "+00:00")) for t in (job["created_at"], at)]
    return (moments[1] - moments[0]).total_seconds()


def test_a_long_skip_applies_each_deadline_at_its_time(
    kernel: LocalKernel, kernel_client: httpx.Client
) -> None:
    register(kernel_client)
    job_id = call(kernel_client)
    kernel_client.post(f"/kernel-jobs/{job_id}/bid", json={})
    kernel.skip(2000)
    job = kernel.job(job_id)
    assert (job["status"], job["error_code"]) == ("expired", "bid_window_expired")
    assert seconds(job, "job.attempt_lost") == pytest.approx(30, abs=5)
    assert seconds(job, "job.expired") == pytest.approx(630, abs=5)


def test_skipping_goes_to_the_next_deadline(
    kernel: LocalKernel, kernel_client: httpx.Client
) -> None:
    with pytest.raises(RuntimeError, match="nothing_due"):
        kernel.skip()
    register(kernel_client)
    job_id = call(kernel_client, timeout_sec=45)
    kernel_client.post(f"/kernel-jobs/{job_id}/bid", json={})
    assert kernel.skip() == pytest.approx(30, abs=5)
    assert kernel.job(job_id)["attempts"][0]["status"] == "lease_expired"
    assert kernel.skip() == pytest.approx(15, abs=5)
    assert kernel.job(job_id)["error_code"] == "timeout"


def test_a_webhooks_next_try_is_a_deadline(
    kernel: LocalKernel, kernel_client: httpx.Client
) -> None:
    kernel.configure_webhook("http://127.0.0.1:9/", "s3cret")
    kernel.cancel(call(kernel_client))
    while not kernel.deliveries()[0]["tries"]:
        pass
    assert 0 < kernel.skip() <= 1


def test_the_command_skips_time(
    kernel: LocalKernel, kernel_client: httpx.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--url", kernel.base_url, "--token", kernel.console_url.partition("token=")[2]]
    job_id = call(kernel_client)
    assert main(["skip", "500", *where]) == 0
    assert "Skipped 500 s" in capsys.readouterr().out
    assert kernel.job(job_id)["status"] == "bidding"
    assert main(["skip", "next", *where]) == 0
    assert kernel.job(job_id)["status"] == "expired"
    capsys.readouterr()
    assert main(["skip", "next", *where]) == 1
    assert capsys.readouterr().err == "No job and no webhook has a deadline.\n"
    assert main(["skip", "1", "--url", kernel.base_url, "--token", "guess"]) == 1
    assert "control token" in capsys.readouterr().err
    assert main(["skip", "1", "--url", kernel.base_url, "--token", ""]) == 1
    assert "--url needs --token" in capsys.readouterr().err
    for amount in ("-1", "nan", "soon"):
        with pytest.raises(SystemExit):
            main(["skip", amount, *where])
