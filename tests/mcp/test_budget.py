"""The budget of one server process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from support.mcp_server import Answer, reach

if TYPE_CHECKING:
    from chaojiyuyan_devserver.testing import AgentHandle, LocalKernel
    from support.mcp_server import Servers, Wire

Json = dict[str, Any]

ORDER: Json = {"capability_key": "media.echo.v1", "input_payload": {}}  # costs 5 nc
BALANCE = 1_000


@pytest.fixture
def agent(kernel: LocalKernel) -> AgentHandle:
    return kernel.new_agent("spender", balance_nc=BALANCE)


def start(
    servers: Servers, kernel: LocalKernel, agent: AgentHandle, *options: str, **variables: str
) -> Wire:
    wire = servers.start(*options, **{**reach(kernel, agent.api_key), **variables})
    wire.discover(elicitation={})
    return wire


def spent(kernel: LocalKernel, agent: AgentHandle) -> int:
    left: int = kernel.balance(agent.account_id)["available_nc"]
    return BALANCE - left


def test_a_spent_budget_stops_orders(
    servers: Servers, kernel: LocalKernel, agent: AgentHandle
) -> None:
    wire = start(servers, kernel, agent, "--budget", "12")
    for _ in range(2):
        assert wire.call("kernel_create_job", **ORDER).data["price_nc"] == 5
    error = wire.call("kernel_create_job", **ORDER).error
    assert (error["code"], error["price_nc"], error["left_nc"]) == ("budget_exceeded", 5, 2)
    assert "5 nc" in error["error"]
    assert "2 nc" in error["error"]
    cheap = {"capability_key": "text.digest.v1", "input_payload": {"text": "x"}}
    assert wire.call("kernel_create_job", **cheap).data["price_nc"] == 2
    assert spent(kernel, agent) == 12


def test_the_budget_holds_for_concurrent_orders(
    servers: Servers, kernel: LocalKernel, agent: AgentHandle
) -> None:
    wire = start(servers, kernel, agent, "--budget", "24")
    answers = [wire.result(n) for n in [wire.begin("kernel_create_job", **ORDER) for _ in range(9)]]
    assert sum(not each.failed for each in answers) == 4
    assert {each.error["code"] for each in answers if each.failed} == {"budget_exceeded"}
    assert spent(kernel, agent) == 20


def test_a_refused_order_and_a_known_key_cost_nothing(
    servers: Servers, kernel: LocalKernel, agent: AgentHandle
) -> None:
    wire = start(servers, kernel, agent, "--budget", "5")
    kernel.set_faults(["create=409@1"])
    assert wire.call("kernel_create_job", **ORDER).failed
    kernel.clear_faults()
    order = {**ORDER, "idempotency_key": "one"}
    job_id = wire.call("kernel_create_job", **order).data["id"]
    assert wire.call("kernel_create_job", **order).data["id"] == job_id
    assert wire.call("kernel_create_job", **ORDER).error["code"] == "budget_exceeded"
    assert spent(kernel, agent) == 5


def test_a_paid_key_does_not_pay_for_another_order(
    servers: Servers, kernel: LocalKernel, agent: AgentHandle
) -> None:
    wire = start(servers, kernel, agent, "--budget", "5")
    wire.call("kernel_create_job", **ORDER, idempotency_key="one")
    dearer = {"capability_key": "media.image.campaign", "input_payload": {"prompt": "x"}}
    error = wire.call("kernel_create_job", **dearer, idempotency_key="one").error
    assert (error["code"], error["price_nc"]) == ("budget_exceeded", 120)


def test_a_lost_answer_costs_its_price_once(
    servers: Servers, kernel: LocalKernel, agent: AgentHandle
) -> None:
    wire = start(servers, kernel, agent, "--budget", "5")
    kernel.set_faults(["create=drop-after"])
    error = wire.call("kernel_create_job", **ORDER).error
    kernel.clear_faults()
    assert error["code"] == "connection_failed"
    assert "cannot order twice" in error["hint"]
    assert wire.call("kernel_create_job", **ORDER).error["code"] == "budget_exceeded"
    # The idempotency key in the error returns the paid job.
    found = wire.call("kernel_create_job", **ORDER, idempotency_key=error["idempotency_key"]).data
    assert kernel.job(found["id"])["price_nc"] == 5
    assert spent(kernel, agent) == 5


def test_an_unknown_price_is_refused(
    servers: Servers, kernel: LocalKernel, agent: AgentHandle
) -> None:
    wire = start(servers, kernel, agent, "--budget", "500")
    error = wire.call("kernel_create_job", capability_key="nope", input_payload={}).error
    assert (error["code"], error["price_nc"], error["left_nc"]) == ("budget_exceeded", None, 500)
    kernel.set_faults(["catalog=503"])
    error = wire.call("kernel_create_job", **ORDER).error
    kernel.clear_faults()
    assert error["code"] == "budget_exceeded"
    assert spent(kernel, agent) == 0


def test_the_budget_is_checked_before_and_after_the_question(
    servers: Servers, kernel: LocalKernel, agent: AgentHandle
) -> None:
    wire = start(servers, kernel, agent, "--budget", "9", "--ask-above", "0")

    def call(**params: Any) -> Json:
        params = {"name": "kernel_create_job", "arguments": ORDER, **params}
        result: Json = wire.answer(wire.ask("tools/call", params))["result"]
        return result

    states = [call()["requestState"] for _ in range(2)]
    yes = {"order": {"action": "accept", "content": {"ok": True}}}
    params = {"name": "kernel_create_job", "arguments": ORDER, "inputResponses": yes}
    both = [wire.ask("tools/call", {**params, "requestState": states[0]}) for _ in range(3)]
    (job_id,) = {wire.result(number).data["id"] for number in both}
    second = call(requestState=states[1], inputResponses=yes)
    assert Answer(second).error["code"] == "budget_exceeded"
    assert Answer(call()).error["code"] == "budget_exceeded"
    # The same consent returns the same job, although the budget is spent.
    assert Answer(call(requestState=states[0], inputResponses=yes)).data["id"] == job_id
    assert spent(kernel, agent) == 5


class TestTheSmallerHolds:
    def test_the_smaller_of_option_and_variable_applies(
        self, servers: Servers, kernel: LocalKernel, agent: AgentHandle
    ) -> None:
        for option, variable in (("3", "500"), ("500", "3")):
            wire = start(
                servers, kernel, agent, "--budget", option, CHAOJIYUYAN_MCP_BUDGET=variable
            )
            assert wire.call("kernel_create_job", **ORDER).error["left_nc"] == 3

    @pytest.mark.parametrize("option", ["--budget", "--ask-above"])
    @pytest.mark.parametrize("value", ["-1", "x", "1.5", "", "٣", "1e3", "inf"])
    def test_an_invalid_value_ends_the_start(
        self, option: str, value: str, servers: Servers
    ) -> None:
        wire = servers.start(f"{option}={value}", CHAOJIYUYAN_API_KEY="nxt_ag_12345678")
        assert wire.process.wait(20) == 2
        assert "whole number of nc" in wire.log.read_text()
        if value:
            name = "CHAOJIYUYAN_MCP" + option[1:].replace("-", "_").upper()
            wire = servers.start(**{"CHAOJIYUYAN_API_KEY": "nxt_ag_12345678", name: value})
            assert wire.process.wait(20) == 2
            assert name in wire.log.read_text()
