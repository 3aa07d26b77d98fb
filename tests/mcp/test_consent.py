"""The user's consent before an order, in both eras of the protocol."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from mcp.types import ElicitResult

from chaojiyuyan_mcp._consent import CONSENT_TIMEOUT, Consent, Order
from support.mcp_server import HELLO, Answer, reach

if TYPE_CHECKING:
    from chaojiyuyan_devserver.testing import LocalKernel
    from support.mcp_server import Servers, Wire

Json = dict[str, Any]

ORDER: Json = {"capability_key": "media.echo.v1", "input_payload": {"say": "hello"}}
PRICE = 5
FORMS: list[Json] = [{}, {"form": {}}, {"form": {}, "url": {}}]
YES: Json = {"action": "accept", "content": {"ok": True}}
NO: list[Json] = [
    {"action": "decline"},
    {"action": "cancel"},
    {"action": "accept", "content": {"ok": False}},
    {"action": "accept", "content": {}},
    {"action": "accept"},
]


def jobs(kernel: LocalKernel) -> set[str]:
    with kernel.client() as client:
        rows = client.get("/kernel-jobs", params={"limit": 100}).json()["data"]["items"]
    return {row["id"] for row in rows}


@pytest.fixture
def modern(kernel: LocalKernel, module_servers: Servers) -> Wire:
    """A server that asks above 2 nc, with a client that can show forms."""
    if not module_servers.started:
        options = ("--ask-above", "2", "--capability", "media.echo.v1")
        wire = module_servers.start(*options, **reach(kernel))
        wire.discover(elicitation={"form": {}})
    return module_servers.started[0]


def call(wire: Wire, tool: str = "kernel_create_job", **params: Any) -> Json:
    params = {"name": tool, "arguments": ORDER, **params}
    result: Json = wire.answer(wire.ask("tools/call", params))["result"]
    return result


def asked(wire: Wire, **params: Any) -> tuple[str, Json]:
    """Start an order, and return the state and the form."""
    result = call(wire, **params)
    assert result["resultType"] == "input_required", result
    (request,) = result["inputRequests"].values()
    assert request["method"] == "elicitation/create"
    return result["requestState"], request["params"]


def reply(wire: Wire, state: str, answer: Json, **params: Any) -> Json:
    return call(wire, inputResponses={"order": answer}, requestState=state, **params)


def refused(wire: Wire, state: str) -> bool:
    """Return whether the answer yes with this state is a protocol error."""
    params = {"inputResponses": {"order": YES}, "requestState": state}
    number = wire.ask("tools/call", {"name": "kernel_create_job", "arguments": ORDER, **params})
    code: int = wire.answer(number)["error"]["code"]
    return code == -32602


def test_the_form_names_capability_and_price(modern: Wire) -> None:
    _, form = asked(modern)
    assert "media.echo.v1" in form["message"]
    assert "5 nc" in form["message"]
    (field,) = form["requestedSchema"]["properties"].values()
    assert (field["type"], field["default"]) == ("boolean", False)


def test_the_answer_yes_orders_one_job(modern: Wire, kernel: LocalKernel) -> None:
    before = jobs(kernel)
    state, _ = asked(modern)
    assert jobs(kernel) == before
    first = Answer(reply(modern, state, YES)).data
    again = Answer(reply(modern, state, YES)).data
    assert first["id"] == again["id"]
    assert jobs(kernel) - before == {first["id"]}
    other, _ = asked(modern)
    assert Answer(reply(modern, other, YES)).data["id"] != first["id"]


def test_a_cheap_order_does_not_ask(modern: Wire) -> None:
    cheap = {"capability_key": "text.digest.v1", "input_payload": {"text": "x"}}
    assert Answer(call(modern, arguments=cheap)).data["price_nc"] == 2


@pytest.mark.parametrize("answer", NO, ids=json.dumps)
def test_any_answer_but_yes_orders_nothing(answer: Json, modern: Wire, kernel: LocalKernel) -> None:
    before = jobs(kernel)
    state, _ = asked(modern)
    error = Answer(reply(modern, state, answer)).error
    assert error["code"] == "consent_declined"
    assert "declined or not answered" in error["error"]
    assert jobs(kernel) == before


class TestState:
    @pytest.mark.parametrize(
        "change",
        [
            lambda state: state[:-1] + ("0" if state[-1] != "0" else "1"),
            lambda state: "x" + state,
            lambda state: state.replace(".", "", 1),
            lambda _: "",
            lambda _: "é" * 1000,
            lambda state: state + "." + "a" * 10_000,
        ],
    )
    def test_a_forged_state_creates_no_job(
        self, change: Any, modern: Wire, kernel: LocalKernel
    ) -> None:
        before = jobs(kernel)
        state, _ = asked(modern)
        assert refused(modern, change(state))
        assert jobs(kernel) == before

    @pytest.mark.parametrize(
        "change",
        [
            {"input_payload": {"say": "goodbye"}},
            {"capability_key": "media.image.campaign"},
            {"idempotency_key": "another"},
        ],
        ids=str,
    )
    def test_a_state_of_another_order_asks_again(
        self, change: Json, modern: Wire, kernel: LocalKernel
    ) -> None:
        before = jobs(kernel)
        state, _ = asked(modern)
        result = reply(modern, state, YES, arguments={**ORDER, **change})
        assert result["resultType"] == "input_required"
        assert jobs(kernel) == before

    def test_a_state_of_another_agent_creates_no_job(
        self, modern: Wire, servers: Servers, kernel: LocalKernel
    ) -> None:
        before = jobs(kernel)
        other = servers.start("--ask-above", "2", **reach(kernel, kernel.new_agent().api_key))
        other.discover(elicitation={})
        state, _ = asked(other)
        assert refused(modern, state)
        assert jobs(kernel) == before

    def test_a_state_is_valid_after_a_server_restart(
        self, modern: Wire, servers: Servers, kernel: LocalKernel
    ) -> None:
        state, _ = asked(modern)
        first = Answer(reply(modern, state, YES)).data["id"]
        other = servers.start("--ask-above", "2", **reach(kernel))
        other.discover(elicitation={})
        assert Answer(reply(other, state, YES)).data["id"] == first

    def test_a_state_without_an_answer_asks_again(self, modern: Wire) -> None:
        state, _ = asked(modern)
        assert call(modern, requestState=state)["resultType"] == "input_required"
        answers = {"else": YES}
        result = call(modern, requestState=state, inputResponses=answers)
        assert result["resultType"] == "input_required"


def test_a_consent_expires() -> None:
    clock = [1_000_000.0]
    consent = Consent("nxt_ag_12345678", now=lambda: clock[0])
    order = Order("media.echo.v1", {})
    client: Any = SimpleNamespace(shows_forms=True, is_modern=True)
    form: Any = asyncio.run(consent.ask(order, PRICE, client))
    answers = {"order": ElicitResult.model_validate(YES)}
    client.params = SimpleNamespace(request_state=form.request_state, input_responses=answers)
    clock[0] += CONSENT_TIMEOUT - 1
    assert consent.read(order, PRICE, client) is not None
    clock[0] += 1
    assert consent.read(order, PRICE, client) is None


def test_a_capability_tool_also_asks(modern: Wire, kernel: LocalKernel) -> None:
    before = jobs(kernel)
    tool = {"tool": "media_echo_v1", "arguments": {"say": "hello"}}
    state, form = asked(modern, **tool)
    assert "5 nc" in form["message"]
    assert Answer(reply(modern, state, NO[0], **tool)).error["code"] == "consent_declined"
    assert jobs(kernel) == before


@pytest.mark.parametrize("capabilities", [{}, {"elicitation": {"url": {}}}], ids=str)
def test_a_client_without_forms_is_told_the_price(
    capabilities: Json, modern: Wire, kernel: LocalKernel
) -> None:
    before = jobs(kernel)
    declared = modern.envelope
    modern.envelope = {**declared, "io.modelcontextprotocol/clientCapabilities": capabilities}
    error = Answer(call(modern)).error
    modern.envelope = declared
    assert (error["code"], error["price_nc"]) == ("consent_unavailable", PRICE)
    assert "5 nc" in error["error"]
    assert jobs(kernel) == before


def test_an_unknown_price_asks(modern: Wire) -> None:
    _, form = asked(modern, arguments={**ORDER, "capability_key": "not.in.the.catalog"})
    assert "unknown" in form["message"]


class TestOldEra:
    def start(self, servers: Servers, kernel: LocalKernel, elicitation: Json | None) -> Wire:
        wire = servers.start("--ask-above", "0", **reach(kernel))
        capabilities = {} if elicitation is None else {"elicitation": elicitation}
        wire.answer(wire.ask("initialize", {**HELLO, "capabilities": capabilities}))
        wire.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return wire

    def order(self, wire: Wire, answer: Json) -> Answer:
        """Order a job, and answer the question of the server."""
        number = wire.begin("kernel_create_job", **ORDER)
        while not wire.notices:
            assert wire.take(20)
        question = wire.notices.pop()
        assert question["method"] == "elicitation/create"
        assert "5 nc" in question["params"]["message"]
        wire.send({"jsonrpc": "2.0", "id": question["id"], **answer})
        return wire.result(number)

    def test_the_2025_protocol_asks_during_the_call(
        self, servers: Servers, kernel: LocalKernel
    ) -> None:
        wire = self.start(servers, kernel, {})
        before = jobs(kernel)
        for answer in NO:
            assert self.order(wire, {"result": answer}).error["code"] == "consent_declined"
        refusal = {"error": {"code": -32601, "message": "what?"}}
        assert self.order(wire, refusal).error["code"] == "consent_unavailable"
        assert jobs(kernel) == before
        job = self.order(wire, {"result": YES}).data
        assert jobs(kernel) - before == {job["id"]}

    @pytest.mark.parametrize("elicitation", [None, {"url": {}}], ids=str)
    def test_an_order_is_refused_if_the_client_cannot_ask(
        self, elicitation: Json | None, servers: Servers, kernel: LocalKernel
    ) -> None:
        wire = self.start(servers, kernel, elicitation)
        error = wire.call("kernel_create_job", **ORDER).error
        assert (error["code"], error["price_nc"]) == ("consent_unavailable", PRICE)
