"""The fixtures that the tests of other packages use."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from chaojiyuyan_devserver.testing import LocalKernel


def test_a_job_runs_from_call_to_settlement(
    kernel_client: httpx.Client, kernel: LocalKernel
) -> None:
    keys = {"capability_keys": ["test.echo.v1"]}
    assert kernel_client.post("/kernel-agents/me/capabilities", json=keys).status_code == 201
    call = {"capability_key": "test.echo.v1", "input_payload": {"a": 1}}
    job_id = kernel_client.post("/kernel-jobs", json=call).json()["data"]["id"]
    assert kernel_client.post(f"/kernel-jobs/{job_id}/bid", json={}).json()["data"]["accepted"]
    submitted = kernel_client.post(
        f"/kernel-jobs/{job_id}/submit", json={"output_envelope": {"b": 2}}
    )
    assert submitted.json()["data"] == {
        "settled": True,
        "payout_nc": 1,
        "job_status": "succeeded",
    }
    job = kernel.job(job_id)
    assert job["output_envelope"] == {"b": 2}
    assert job["settlements"] == 1


def test_the_kernel_fixture_controls_the_kernel(
    kernel_client: httpx.Client, kernel: LocalKernel
) -> None:
    def call() -> str:
        answer = kernel_client.post("/kernel-jobs", json={"capability_key": "test.echo.v1"})
        return str(answer.json()["data"]["id"])

    kernel_client.post("/kernel-agents/me/capabilities", json={"capability_keys": ["test.echo.v1"]})
    first, second, third = call(), call(), call()
    kernel_client.post(f"/kernel-jobs/{first}/bid", json={})
    kernel.expire_lease(first)
    assert kernel.job(first)["status"] == "bidding"
    kernel.settle(first, {"done": True})
    kernel.fail(second, "no_luck", "it failed")
    kernel.cancel(third)
    assert [kernel.job(j)["status"] for j in (first, second, third)] == [
        "succeeded",
        "failed",
        "cancelled",
    ]
    for end in (lambda: kernel.settle(third, {}), lambda: kernel.fail(third)):
        with pytest.raises(RuntimeError, match="job_ended"):
            end()
    late = call()
    kernel.skip(3600)
    assert kernel.job(late)["status"] == "expired"


def test_another_agent_sees_nothing(kernel_client: httpx.Client, kernel: LocalKernel) -> None:
    job_id = kernel_client.post("/kernel-jobs", json={"capability_key": "test.echo.v1"}).json()[
        "data"
    ]["id"]
    with kernel.client(kernel.new_agent("other").api_key) as other:
        assert other.get(f"/kernel-jobs/{job_id}").status_code == 404
        assert other.get("/kernel-jobs").json()["data"]["items"] == []


def test_a_killed_kernel_restarts_with_its_jobs(
    kernel_factory: Callable[..., LocalKernel],
) -> None:
    kernel = kernel_factory(lease=5)
    before = (kernel.base_url, kernel.api_key)
    with kernel.client() as client:
        job = client.post("/kernel-jobs", json={"capability_key": "test.echo.v1"}).json()["data"]
        kernel.kill()
        kernel.restart()
        assert (kernel.base_url, kernel.api_key) == before
        assert client.get(f"/kernel-jobs/{job['id']}").json()["data"]["status"] == "bidding"
    assert kernel.stop() == 0


def test_the_plugin_imports_nothing_until_it_is_used() -> None:
    code = (
        "import sys, chaojiyuyan_devserver.pytest_plugin;"
        "print({'fastapi', 'sqlite3', 'httpx', 'uvicorn', 'yaml'} & set(sys.modules))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert printed.stdout.strip() == "set()"


def test_a_reset_keeps_only_the_ready_agent(
    kernel: LocalKernel, kernel_client: httpx.Client
) -> None:
    me, balance = kernel.me(), kernel.balance()
    other = kernel.new_agent()
    kernel_client.post("/kernel-agents/me/capabilities", json={"capability_keys": ["test.echo.v1"]})
    kernel_client.post("/kernel-jobs", json={"capability_key": "test.echo.v1"})
    kernel.configure_webhook("http://127.0.0.1:9/", "s3cret")
    kernel.set_faults(["catalog=503"])
    kernel.skip(3600 * 24 * 365)
    kernel.reset()
    assert (kernel.me(), kernel.balance()) == (me, balance)
    assert kernel_client.get("/kernel-jobs").json()["data"]["items"] == []
    assert kernel_client.get("/kernel-jobs/available").status_code == 403
    assert kernel_client.get("/capability-specs").status_code == 200
    assert kernel.deliveries() == []
    with kernel.client(other.api_key) as client:
        assert client.get("/kernel-jobs").status_code == 401
    job = kernel_client.post("/kernel-jobs", json={"capability_key": "test.echo.v1"}).json()["data"]
    made = datetime.fromisoformat(job["created_at"].replace("Z", "+00:00"))
    assert abs((datetime.now(timezone.utc) - made).total_seconds()) < 60
    kernel.restart()
    assert kernel_client.get(f"/kernel-jobs/{job['id']}").status_code == 200
