from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from chaojiyuyan_core import api
from chaojiyuyan_core.settings import Settings
from chaojiyuyan_mcp._orders import Limits
from chaojiyuyan_mcp._results import ToolError
from chaojiyuyan_mcp._services import Services
from support.mcp_server import reach

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaojiyuyan_devserver.testing import LocalKernel
    from support.mcp_server import Servers, Wire

ECHO = "test.echo.v1"


def order(kernel: LocalKernel, capability_key: str = ECHO, **payload: object) -> str:
    with kernel.client() as client:
        body = {"capability_key": capability_key, "input_payload": payload}
        job_id: str = client.post("/kernel-jobs", json=body).json()["data"]["id"]
    return job_id


def register(wire: Wire, *keys: str) -> dict[str, Any]:
    return wire.call("kernel_register_capability_handler", capability_keys=list(keys)).data


def test_nothing_is_claimed_before_registering(wire: Wire) -> None:
    error = wire.call("kernel_claim_job").error
    assert (error["code"], error["status"]) == ("worker_not_enabled", 403)
    assert "kernel_register_capability_handler" in error["hint"]


def test_a_job_is_claimed_submitted_and_paid(wire: Wire, kernel: LocalKernel) -> None:
    assert register(wire, ECHO, "no.such.v1") == {
        "registered": [ECHO],
        "skipped_unknown": ["no.such.v1"],
    }
    assert wire.call("kernel_claim_job").data == {
        "claimed": False,
        "jobs_seen": 0,
        "rejections": [],
    }
    job_id = order(kernel, say="hello")
    claim = wire.call("kernel_claim_job").data
    assert claim["claimed"] is True
    assert (claim["jobs_seen"], claim["rejections"]) == (1, [])
    job = claim["job"]
    assert (job["job_id"], job["capability_key"]) == (job_id, ECHO)
    assert job["input_envelope"] == {"say": "hello"}
    assert {"task_run_id", "max_budget_nc", "lease_expires_at"} <= set(job)
    assert wire.call("kernel_claim_job").data["claimed"] is False
    artifact = {"kind": "json", "artifact_uri": "data:application/json,{}"}
    done = wire.call(
        "kernel_submit_job",
        job_id=job_id,
        output_envelope={"said": "hello"},
        artifacts=[artifact],
        publish=True,
        license="CC-BY-4.0",
        tags=["echo"],
    ).data
    assert (done["submitted"], done["job_id"]) == (True, job_id)
    assert done["task_run_id"] == job["task_run_id"]
    assert done["result"]["settled"] is True
    settled = kernel.job(job_id)
    assert (settled["status"], settled["settlements"]) == ("succeeded", 1)
    error = wire.call("kernel_submit_job", job_id=job_id, output_envelope={}).error
    assert error["code"] == "bad_arguments"
    assert "already" in error["error"]
    assert "nothing more to do" in error["hint"]


def test_a_job_awarded_to_another_is_a_rejection(
    wire: Wire, kernel: LocalKernel, servers: Servers
) -> None:
    register(wire, ECHO)
    job_id = order(kernel)
    kernel.set_faults(["bid=409@1"])
    claim = wire.call("kernel_claim_job").data
    assert (claim["claimed"], claim["jobs_seen"]) == (False, 1)
    (rejection,) = claim["rejections"]
    assert rejection["job_id"] == job_id
    assert {"code", "awarded_to_agent_id"} <= set(rejection)


def test_claims_are_filtered_by_capability(wire: Wire, kernel: LocalKernel) -> None:
    register(wire, ECHO, "media.echo.v1")
    order(kernel)
    media = order(kernel, "media.echo.v1")
    assert (
        wire.call("kernel_claim_job", capability_key="media.echo.v1").data["job"]["job_id"] == media
    )


def test_an_unclaimed_job_cannot_be_submitted(wire: Wire) -> None:
    error = wire.call("kernel_submit_job", job_id="job_of_others", output_envelope={}).error
    assert error["code"] == "bad_arguments"
    assert "kernel_claim_job" in error["error"]


def test_the_hold_must_exceed_the_heartbeat(wire: Wire) -> None:
    error = wire.call("kernel_claim_job", heartbeat_interval=60, max_hold_seconds=60).error
    assert error["code"] == "bad_arguments"
    assert "max_hold_seconds" in error["error"]


def test_an_output_that_does_not_fit_can_be_corrected(wire: Wire, kernel: LocalKernel) -> None:
    register(wire, "text.digest.v1")
    job_id = order(kernel, "text.digest.v1", text="one two")
    assert wire.call("kernel_claim_job").data["claimed"]
    error = wire.call("kernel_submit_job", job_id=job_id, output_envelope={"lines": "1"}).error
    assert error["code"] == "validation_failed"
    assert error["validation_errors"]
    assert "kernel_submit_job again" in error["hint"]
    output = {"lines": 1, "words": 2, "bytes": 7, "sha256": "0" * 64}
    assert wire.call("kernel_submit_job", job_id=job_id, output_envelope=output).data["submitted"]


class TestSubmitting:
    @pytest.fixture
    def job_id(self, wire: Wire, kernel: LocalKernel) -> str:
        register(wire, ECHO)
        job_id = order(kernel)
        assert wire.call("kernel_claim_job").data["claimed"]
        return job_id

    def test_a_temporary_fault_is_retried(
        self, wire: Wire, kernel: LocalKernel, job_id: str
    ) -> None:
        kernel.set_faults(["submit=503@1"])
        done = wire.call("kernel_submit_job", job_id=job_id, output_envelope={"x": 1}).data
        assert done["submitted"]
        assert kernel.job(job_id)["settlements"] == 1

    def test_after_a_lasting_fault_the_job_is_still_held(
        self, wire: Wire, kernel: LocalKernel, job_id: str
    ) -> None:
        kernel.set_faults(["submit=503"])
        error = wire.call("kernel_submit_job", job_id=job_id, output_envelope={"x": 1}).error
        assert error["status"] == 503
        kernel.clear_faults()
        assert wire.call("kernel_submit_job", job_id=job_id, output_envelope={}).data["submitted"]

    def test_a_lost_answer_is_reported_as_probably_settled(
        self, wire: Wire, kernel: LocalKernel, job_id: str
    ) -> None:
        kernel.set_faults(["submit=drop-after@1"])
        error = wire.call("kernel_submit_job", job_id=job_id, output_envelope={"x": 1}).error
        assert error["code"] == "task_run_not_found"
        assert "probably settled" in error["hint"]
        assert kernel.job(job_id)["settlements"] == 1

    def test_lost_answers_of_earlier_calls_are_remembered(
        self, wire: Wire, kernel: LocalKernel, job_id: str
    ) -> None:
        kernel.set_faults(["submit=drop-after"])
        error = wire.call("kernel_submit_job", job_id=job_id, output_envelope={"x": 1}).error
        if error["code"] == "task_run_not_found":  # a heartbeat has reported it
            assert "probably settled" in error["hint"]
            return
        assert error["code"] == "connection_failed"
        kernel.clear_faults()
        error = wire.call("kernel_submit_job", job_id=job_id, output_envelope={"x": 1}).error
        assert "probably settled" in error["hint"]
        assert kernel.job(job_id)["settlements"] == 1

    def test_an_expired_lease_is_reported(
        self, wire: Wire, kernel: LocalKernel, job_id: str
    ) -> None:
        kernel.expire_lease(job_id)
        error = wire.call("kernel_submit_job", job_id=job_id, output_envelope={}).error
        assert error["code"] in ("task_run_not_found", "lease_expired")
        assert "claim again" in error["hint"]
        assert kernel.job(job_id)["settlements"] == 0


class TestHolding:
    def test_heartbeats_keep_a_claim_beyond_its_first_lease(
        self, servers: Servers, kernel_factory: Callable[..., LocalKernel]
    ) -> None:
        kernel = kernel_factory(lease=2)
        wire = servers.start(**reach(kernel))
        wire.greet()
        register(wire, ECHO)
        job_id = order(kernel)
        started = time.monotonic()
        claim = wire.call("kernel_claim_job").data
        # The client is silent for more than two leases, but the server sends heartbeats.
        while time.monotonic() < started + 4.5:
            assert kernel.job(job_id)["status"] == "running"
            time.sleep(0.2)
        done = wire.call("kernel_submit_job", job_id=job_id, output_envelope={"late": 1}).data
        assert done["task_run_id"] == claim["job"]["task_run_id"]
        assert [run["status"] for run in kernel.job(job_id)["attempts"]] == ["succeeded"]

    def test_after_a_kill_another_worker_gets_the_job(
        self,
        servers: Servers,
        kernel_factory: Callable[..., LocalKernel],
        eventually: Callable[[Callable[[], object], float], None],
    ) -> None:
        kernel = kernel_factory(lease=2)
        first, second = (servers.start(**reach(kernel)) for _ in range(2))
        first.greet()
        second.greet()
        register(first, ECHO)
        job_id = order(kernel)
        assert first.call("kernel_claim_job").data["claimed"]
        first.process.kill()
        eventually(lambda: second.call("kernel_claim_job").data["claimed"], 2 + 5)
        done = second.call("kernel_submit_job", job_id=job_id, output_envelope={"by": 2}).data
        assert done["submitted"]
        assert kernel.job(job_id)["settlements"] == 1

    def test_a_stopped_server_sends_no_heartbeat(
        self,
        servers: Servers,
        kernel_factory: Callable[..., LocalKernel],
        eventually: Callable[[Callable[[], object], float], None],
    ) -> None:
        kernel = kernel_factory(lease=2)
        wire = servers.start(**reach(kernel))
        wire.greet()
        register(wire, ECHO)
        job_id = order(kernel)
        assert wire.call("kernel_claim_job").data["claimed"]
        assert wire.end() == 0
        eventually(lambda: kernel.job(job_id)["status"] == "bidding", 2 + 3)

    def test_a_job_is_held_no_longer_than_max_hold(self, kernel: LocalKernel) -> None:
        settings = Settings(kernel.api_key, kernel.base_url, "test", "test")

        async def hold() -> ToolError:
            services = Services(settings, Limits())
            await services.platform.request(api.register_capabilities([ECHO]))
            job_id = order(kernel)
            (row,) = await services.platform.request(api.available_jobs())
            claims = services.claims
            award = await claims.bid(
                api.offer(row), heartbeat_interval=10, max_hold=0.3, timeout=10
            )
            assert award["accepted"]
            await asyncio.sleep(0.4)
            with pytest.raises(ToolError) as caught:
                await claims.submit(job_id, api.submit(job_id, {}))
            await services.close()
            assert kernel.job(job_id)["settlements"] == 0
            return caught.value

        error = asyncio.run(hold())
        assert error.code == "lease_expired"
        assert "longer than allowed" in error.error
