from __future__ import annotations

import socketserver
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from support.mcp_server import HELLO, reach

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaojiyuyan_devserver.testing import LocalKernel
    from support.mcp_server import Servers, Wire


def new_job(wire: Wire, payload: dict[str, Any] | None = None) -> str:
    job = wire.call("kernel_create_job", capability_key="test.echo.v1", input_payload=payload or {})
    job_id: str = job.data["id"]
    return job_id


def test_the_catalog_is_listed(wire: Wire) -> None:
    found = wire.call("kernel_list_capabilities").data
    keys = [spec["capability_key"] for spec in found["capabilities"]]
    assert {"test.echo.v1", "text.digest.v1"} <= set(keys)
    assert found["next_cursor"] is None
    assert found["total"] == len(keys)
    (echo,) = wire.call("kernel_list_capabilities", category="test").data["capabilities"]
    assert (echo["capability_key"], echo["price_nc"]) == ("test.echo.v1", 1)
    found = wire.call("kernel_list_capabilities", query="CAMPAIGN").data["capabilities"]
    assert [spec["capability_key"] for spec in found] == ["media.image.campaign"]
    assert wire.call("kernel_list_capabilities", query="no such").data["capabilities"] == []


def test_the_catalog_is_listed_page_by_page(wire: Wire) -> None:
    whole = wire.call("kernel_list_capabilities").data["capabilities"]
    pages = []
    cursor: dict[str, str] = {}
    while True:
        page = wire.call("kernel_list_capabilities", limit=3, **cursor).data
        pages += page["capabilities"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert pages == whole
    assert wire.call("kernel_list_capabilities", cursor="x").error["code"] == "bad_arguments"
    assert wire.call("kernel_list_capabilities", cursor="999").data["capabilities"] == []


def test_a_client_of_the_first_revision_is_served(servers: Servers, kernel: LocalKernel) -> None:
    wire = servers.start(**reach(kernel))
    hello = wire.answer(wire.ask("initialize", {**HELLO, "protocolVersion": "2024-11-05"}))
    assert hello["result"]["protocolVersion"] == "2024-11-05"
    wire.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert wire.call("kernel_list_capabilities", limit=1).data["capabilities"]


def test_a_job_is_ordered_and_its_output_is_read(wire: Wire, kernel: LocalKernel) -> None:
    job_id = new_job(wire, {"say": "你好"})
    job = wire.call("kernel_get_job", job_id=job_id).data
    assert job["input_envelope"] == {"say": "你好"}
    assert wire.call("kernel_list_artifacts", job_id=job_id).data == {"artifacts": []}
    waiting = wire.begin("kernel_wait_for_job", job_id=job_id)
    artifact = {"kind": "image", "artifact_uri": "https://x.test/a.png", "mime_type": "image/png"}
    kernel.settle(job_id, {"heard": "你好"}, [artifact])
    done = wire.result(waiting).data
    assert (done["status"], done["output_envelope"]) == ("succeeded", {"heard": "你好"})
    (listed,) = wire.call("kernel_list_artifacts", job_id=job_id).data["artifacts"]
    assert listed["artifact_uri"] == "https://x.test/a.png"


def test_a_failed_job_is_a_result(wire: Wire, kernel: LocalKernel) -> None:
    job_id = new_job(wire)
    kernel.fail(job_id, code="no_paint", message="out of paint")
    job = wire.call("kernel_wait_for_job", job_id=job_id).data
    assert (job["status"], job["error_code"]) == ("failed", "no_paint")


def test_the_same_idempotency_key_returns_the_same_job(wire: Wire) -> None:
    order = {"capability_key": "test.echo.v1", "input_payload": {}, "idempotency_key": "one"}
    first = wire.call("kernel_create_job", **order).data["id"]
    assert wire.call("kernel_create_job", **order).data["id"] == first
    assert new_job(wire) != new_job(wire)


def test_a_lost_answer_creates_no_second_job(wire: Wire, kernel: LocalKernel) -> None:
    before = {job["id"] for job in jobs(kernel)}
    kernel.set_faults(["create=drop-after@1"])
    job_id = new_job(wire)
    assert {job["id"] for job in jobs(kernel)} - before == {job_id}


def test_a_failed_wait_names_the_ordered_job(wire: Wire, kernel: LocalKernel) -> None:
    order = {"capability_key": "test.echo.v1", "input_payload": {}, "wait": True}
    kernel.set_faults(["get=403"])
    try:
        error = wire.call("kernel_create_job", **order).error
    finally:
        kernel.clear_faults()
    assert kernel.job(error["job_id"])["status"] == "bidding"
    assert "Do not order it again" in error["hint"]
    error = wire.call("kernel_wait_for_job", job_id="nobodys").error
    assert (error["code"], "job_id" in error) == ("kernel_job_not_found", False)


def jobs(kernel: LocalKernel) -> list[dict[str, Any]]:
    with kernel.client() as client:
        listed: list[dict[str, Any]] = client.get("/kernel-jobs").json()["data"]["items"]
    return listed


def test_a_big_output_is_cut_and_can_be_read_on(wire: Wire, kernel: LocalKernel) -> None:
    job_id = new_job(wire)
    output = {"text": "".join(f"{number}," for number in range(30_000)), "rows": [[1, 2]] * 20_000}
    kernel.settle(job_id, output)
    answer = wire.call("kernel_wait_for_job", job_id=job_id)
    assert len(answer.result["content"][0]["text"]) < 60_000
    job = answer.data
    assert "kernel_get_job" in job["truncated"]["note"]
    cuts = {cut["pointer"]: cut for cut in job["truncated"]["parts"]}
    assert set(cuts) == {"/output_envelope/text", "/output_envelope/rows"}
    for name in ("text", "rows"):
        shown = job["output_envelope"][name]
        offset = cuts[f"/output_envelope/{name}"]["next_offset"]
        while offset < len(output[name]):
            part = wire.call(
                "kernel_get_job", job_id=job_id, pointer=f"/output_envelope/{name}", offset=offset
            ).data
            assert part["status"] == "succeeded"
            shown += part["value"]
            offset += len(part["value"])
        assert shown == output[name]


def test_a_pointer_without_a_value_is_an_error(wire: Wire) -> None:
    job_id = new_job(wire)
    for more in ({"pointer": "/nothing"}, {"pointer": "x"}, {"offset": 5}):
        error = wire.call("kernel_get_job", job_id=job_id, **more).error
        assert error["code"] == "bad_arguments"
    error = wire.call("kernel_get_job", job_id="no-job", offset=5).error
    assert error["code"] == "bad_arguments"  # checked before a request is sent


def test_errors_say_what_to_do(wire: Wire, kernel: LocalKernel) -> None:
    error = wire.call("kernel_create_job", capability_key="nope", input_payload={}).error
    assert (error["code"], error["status"]) == ("unknown_capability", 400)
    assert "kernel_list_capabilities" in error["hint"]
    error = wire.call("kernel_get_job", job_id="job_of_nobody").error
    assert (error["code"], error["status"]) == ("kernel_job_not_found", 404)
    kernel.set_faults(["get=html"])
    error = wire.call("kernel_get_job", job_id="x").error
    assert "<" not in error["error"]
    kernel.clear_faults()
    error = wire.call("kernel_drop_tables").error
    assert error["code"] == "bad_arguments"
    assert "kernel_get_job" in error["error"]


def test_a_low_balance_is_an_error(servers: Servers, kernel: LocalKernel) -> None:
    agent = kernel.new_agent("poor", balance_nc=0)
    wire = servers.start(**reach(kernel, agent.api_key))
    wire.greet()
    error = wire.call("kernel_create_job", capability_key="test.echo.v1", input_payload={}).error
    assert error["code"] == "insufficient_balance"
    assert "Tell the user" in error["hint"]


def test_a_wrong_key_and_a_wrong_address_are_errors(servers: Servers, kernel: LocalKernel) -> None:
    key = "nxt_ag_thisisnotakey0123456789"
    wire = servers.start(**reach(kernel, key))
    wire.greet()
    answer = wire.call("kernel_list_capabilities")
    assert (answer.error["code"], answer.error["status"]) == ("auth_failed", 401)
    assert key not in str(answer.result)
    assert key not in wire.log.read_text()
    nowhere = {**reach(kernel), "HEBING_BASE_URL": "http://127.0.0.1:9/api/v1"}
    wire = servers.start(**nowhere)
    wire.greet()
    error = wire.call("kernel_create_job", capability_key="x", input_payload={}).error
    assert error["code"] == "connection_failed"
    assert "http://127.0.0.1:9/api/v1" in error["error"]


class TestWaiting:
    def test_waiting_ends_at_the_deadline(self, wire: Wire) -> None:
        job_id = new_job(wire)
        started = time.monotonic()
        error = wire.call("kernel_wait_for_job", job_id=job_id, timeout=1).error
        assert time.monotonic() - started >= 1
        assert (error["code"], error["job_id"]) == ("job_timeout", job_id)
        assert error["job_status"] == "bidding"
        assert "kernel_wait_for_job again" in error["hint"]
        assert "status" not in error

    def test_waiting_reports_progress(self, wire: Wire, kernel: LocalKernel) -> None:
        wire.notices.clear()
        job_id = new_job(wire)
        waiting = wire.begin("kernel_wait_for_job", progress=True, job_id=job_id, timeout=30)
        while not any("bidding, " in notice["params"]["message"] for notice in wire.notices):
            assert wire.take(15)
        kernel.settle(job_id, {})
        assert wire.result(waiting).data["status"] == "succeeded"
        told = [notice["params"] for notice in wire.notices]
        assert told[0]["message"] == "waiting, 0 s"
        assert all(each["progressToken"] == "progress" for each in told)
        assert all(each["total"] == 30 for each in told)
        assert [each["progress"] for each in told] == sorted({each["progress"] for each in told})

    def test_cancelling_ends_the_wait_and_its_polls(self, servers: Servers) -> None:
        with HoldingServer() as holding:
            wire = servers.start(
                CHAOJIYUYAN_API_KEY="nxt_ag_0123456789", HEBING_BASE_URL=holding.base_url
            )
            wire.greet()
            waiting = wire.begin("kernel_wait_for_job", job_id="job_1")
            assert holding.asked.acquire(timeout=10)
            params = {"requestId": waiting, "reason": "enough"}
            wire.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
            assert holding.hung_up.acquire(timeout=5)
            # No poll follows, and the cancelled call has no result.
            assert not holding.asked.acquire(timeout=1)
            assert wire.answer(wire.ask("ping"))["result"] == {}
            assert wire.end() == 0
            wire.rest()
            with pytest.raises(KeyError):
                wire.answers.pop(waiting)

    def test_waiting_survives_a_restart_of_the_kernel(
        self, servers: Servers, kernel_factory: Callable[..., LocalKernel]
    ) -> None:
        kernel = kernel_factory()
        wire = servers.start(**reach(kernel))
        wire.greet()
        job_id = new_job(wire)
        waiting = wire.begin("kernel_wait_for_job", job_id=job_id, timeout=30)
        kernel.kill()
        kernel.start()
        kernel.settle(job_id, {"after": "all"})
        assert wire.result(waiting, timeout=30).data["output_envelope"] == {"after": "all"}


class HoldingServer:
    """A platform that never responds to requests and notices when a client disconnects."""

    def __init__(self) -> None:
        self.asked = threading.Semaphore(0)
        self.hung_up = threading.Semaphore(0)
        holding = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                while self.request.recv(65536):
                    holding.asked.release()
                holding.hung_up.release()

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}/api/v1"

    def __enter__(self) -> HoldingServer:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_fifty_concurrent_calls_are_answered(wire: Wire, kernel: LocalKernel) -> None:
    job_ids = [new_job(wire, {"number": number}) for number in range(5)]
    waits = [wire.begin("kernel_wait_for_job", job_id=job_ids[n % 5]) for n in range(50)]
    reads = [wire.begin("kernel_get_job", job_id=job_ids[n % 5]) for n in range(50)]
    for number, call in enumerate(reads):
        assert wire.result(call).data["input_envelope"] == {"number": number % 5}
    for number, job_id in enumerate(job_ids):
        kernel.settle(job_id, {"was": number})
    for number, call in enumerate(waits):
        assert wire.result(call).data["output_envelope"] == {"was": number % 5}
