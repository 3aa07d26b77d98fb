"""Jobs as tasks (SEP-2663), for clients with and without the extension."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from support.background import meanwhile
from support.mcp_server import reach

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaojiyuyan_devserver.testing import LocalKernel
    from support.mcp_server import Servers, Wire

Json = dict[str, Any]

EXTENSION = "io.modelcontextprotocol/tasks"
TASKS: Json = {"extensions": {EXTENSION: {}}}
METHODS = ["tasks/get", "tasks/update", "tasks/cancel"]
ORDER = {"capability_key": "test.echo.v1", "input_payload": {"say": "hello"}}


@pytest.fixture
def task_wire(kernel: LocalKernel, module_servers: Servers) -> Wire:
    """A server for the tests of this module, with a client that supports tasks."""
    if not module_servers.started:
        options = ("--capability", "test.echo.v1")
        module_servers.start(*options, **reach(kernel)).discover(**TASKS)
    return module_servers.started[0]


def ask(wire: Wire, method: str, task_id: str) -> Json:
    return wire.answer(wire.ask(method, {"taskId": task_id, "inputResponses": {}}))


def read(wire: Wire, task_id: str) -> Json:
    task: Json = ask(wire, "tasks/get", task_id)["result"]
    assert (task["resultType"], task["taskId"]) == ("complete", task_id)
    return task


def create(wire: Wire, tool: str = "kernel_create_job", **arguments: object) -> Json:
    arguments = arguments or {**ORDER, "wait": True}
    task: Json = wire.answer(wire.begin(tool, **arguments))["result"]
    assert task["resultType"] == "task", task
    return task


def new_job(wire: Wire) -> str:
    job_id: str = wire.call("kernel_create_job", **ORDER).data["id"]
    return job_id


def test_the_server_declares_the_extension(servers: Servers, kernel: LocalKernel) -> None:
    wire = servers.start(**reach(kernel))
    assert wire.discover(**TASKS)["capabilities"]["extensions"] == {EXTENSION: {}}


@pytest.mark.parametrize("tool", ["kernel_create_job", "kernel_wait_for_job", "test_echo_v1"])
def test_a_waiting_tool_becomes_a_task(tool: str, task_wire: Wire, kernel: LocalKernel) -> None:
    arguments: Json = {"kernel_create_job": {**ORDER, "wait": True}}.get(tool, {"say": "hello"})
    if tool == "kernel_wait_for_job":
        arguments = {"job_id": new_job(task_wire)}
    task = create(task_wire, tool, **arguments)
    assert (task["status"], task["statusMessage"]) == ("working", "bidding")
    assert 500 <= task["pollIntervalMs"] <= 10_000
    assert task["ttlMs"] is None
    assert task["createdAt"] <= task["lastUpdatedAt"]
    assert kernel.job(task["taskId"])["input_envelope"] == {"say": "hello"}
    assert read(task_wire, task["taskId"])["status"] == "working"


def test_an_order_without_wait_is_not_a_task(task_wire: Wire) -> None:
    assert task_wire.call("kernel_create_job", **ORDER).data["status"] == "bidding"


def test_a_task_ends_with_the_result_of_the_tool(task_wire: Wire, kernel: LocalKernel) -> None:
    task_id = create(task_wire)["taskId"]
    kernel.settle(task_id, {"heard": "hello"})
    task = read(task_wire, task_id)
    assert (task["status"], task["statusMessage"]) == ("completed", "succeeded")
    answer = task_wire.answer(task_wire.begin("kernel_wait_for_job", job_id=task_id))["result"]
    del answer["_meta"]  # every result names the server
    assert task["result"] == answer
    assert task["result"]["structuredContent"]["output_envelope"] == {"heard": "hello"}


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_an_unsuccessful_job_is_a_completed_task(
    status: str, task_wire: Wire, kernel: LocalKernel
) -> None:
    task_id = create(task_wire)["taskId"]
    {"failed": kernel.fail, "cancelled": kernel.cancel}[status](task_id)
    check_ended(read(task_wire, task_id), status)


def test_an_expired_job_is_a_completed_task(
    servers: Servers, kernel_factory: Callable[..., LocalKernel]
) -> None:
    kernel = kernel_factory()
    wire = servers.start(**reach(kernel))
    wire.discover(**TASKS)
    task_id = create(wire)["taskId"]
    kernel.skip(86_400)
    check_ended(read(wire, task_id), "expired")


def check_ended(task: Json, status: str) -> None:
    assert (task["status"], task["statusMessage"]) == ("completed", status)
    assert task["result"]["structuredContent"]["status"] == status
    assert not task["result"].get("isError")


def test_a_task_outlives_the_server(servers: Servers, kernel: LocalKernel) -> None:
    first = servers.start(**reach(kernel))
    first.discover(**TASKS)
    task_id = create(first)["taskId"]
    first.process.kill()
    first.process.wait()
    kernel.settle(task_id, {"after": "all"})
    second = servers.start(**reach(kernel))
    second.discover(**TASKS)
    result = read(second, task_id)["result"]
    assert result["structuredContent"]["output_envelope"] == {"after": "all"}


@pytest.mark.parametrize("method", METHODS)
class TestEachMethod:
    def test_an_unknown_task_is_an_error(self, method: str, task_wire: Wire) -> None:
        for task_id in ("job_of_nobody", "", "..", "a/b", "x" * 10_000):
            error = ask(task_wire, method, task_id)["error"]
            assert error["code"] == -32602
            assert len(error["message"]) < 400

    def test_task_methods_need_the_extension(self, method: str, task_wire: Wire) -> None:
        declared = task_wire.envelope
        bare = {**declared, "io.modelcontextprotocol/clientCapabilities": {}}
        for task_id in ("job_of_nobody", new_job(task_wire)):
            task_wire.envelope = bare
            error = ask(task_wire, method, task_id)["error"]
            task_wire.envelope = declared
            assert error["code"] == -32021
            assert error["data"]["requiredCapabilities"] == TASKS


@pytest.mark.parametrize("method", ["tasks/update", "tasks/cancel"])
def test_a_cancellation_is_only_acknowledged(method: str, task_wire: Wire) -> None:
    task_id = create(task_wire)["taskId"]
    acknowledged = ask(task_wire, method, task_id)["result"]
    assert {name for name in acknowledged if name != "_meta"} == {"resultType"}
    assert read(task_wire, task_id)["status"] == "working"


class TestUnreachablePlatform:
    @pytest.mark.parametrize("fault", ["get=503", "get=html", "get=drop-before", "get=429"])
    def test_an_unreachable_platform_ends_no_task(
        self, fault: str, task_wire: Wire, kernel: LocalKernel
    ) -> None:
        task_id = create(task_wire)["taskId"]
        kernel.set_faults([fault])
        try:
            answer = ask(task_wire, "tasks/get", task_id)
        finally:
            kernel.clear_faults()
        assert answer["result"]["status"] == "working"
        assert read(task_wire, task_id)["statusMessage"] == "bidding"

    def test_a_platform_that_is_down_is_reported(self, servers: Servers) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # bound but not listening
            base_url = f"http://127.0.0.1:{taken.getsockname()[1]}/api/v1"
            key = "nxt_ag_0123456789"
            wire = servers.start(CHAOJIYUYAN_API_KEY=key, HEBING_BASE_URL=base_url)
            wire.discover(**TASKS)
            task = read(wire, "job_1")
        assert task["status"] == "working"
        assert "cannot be reached" in task["statusMessage"]

    def test_a_refused_key_is_another_error(self, servers: Servers, kernel: LocalKernel) -> None:
        wire = servers.start(**reach(kernel, "nxt_ag_thisisnotakey0123456789"))
        wire.discover(**TASKS)
        error = ask(wire, "tasks/get", "job_1")["error"]
        assert error["code"] == -32603
        assert "agent key" in error["message"]
        assert "thisisnotakey" not in str(error)


def test_a_client_without_the_extension_waits(servers: Servers, kernel: LocalKernel) -> None:
    for greet in ("discover", "greet"):
        wire = servers.start(**reach(kernel))
        getattr(wire, greet)()
        number = wire.begin("kernel_create_job", progress=True, **ORDER, wait=True)
        while not any("bidding, " in notice["params"]["message"] for notice in wire.notices):
            assert wire.take(15)
        with kernel.client() as client:
            job_id = client.get("/kernel-jobs").json()["data"]["items"][0]["id"]
        kernel.settle(job_id, {"heard": greet})
        assert wire.result(number).data["output_envelope"] == {"heard": greet}


def test_a_legacy_client_that_declares_it_gets_no_task(
    servers: Servers, kernel: LocalKernel
) -> None:
    wire = servers.start(**reach(kernel))
    hello = {
        "protocolVersion": "2025-11-25",
        "capabilities": TASKS,
        "clientInfo": {"name": "tests", "version": "1"},
    }
    wire.answer(wire.ask("initialize", hello))
    wire.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
    job_id = new_job(wire)
    with meanwhile(lambda: kernel.settle(job_id, {}), delay=0.3):
        assert wire.call("kernel_wait_for_job", job_id=job_id).data["status"] == "succeeded"
    assert ask(wire, "tasks/get", job_id)["error"]["code"] == -32021
