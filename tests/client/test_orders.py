"""The options of an order: price limit, budget, reuse and validation."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from chaojiyuyan_client import (
    AsyncNexusClient,
    BudgetExceeded,
    InputInvalid,
    JobTimeout,
    NexusClient,
    PriceTooHigh,
)
from chaojiyuyan_core.errors import HebingAPIError

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMA = {
    "type": "object",
    "properties": {"items": {"type": "array", "items": {"$ref": "#/$defs/item"}}},
    "required": ["items"],
    "$defs": {"item": {"type": "object", "properties": {"size": {"type": "integer"}}}},
}
CATALOG = [
    {"capability_key": "cheap.v1", "name": "Cheap", "price_nc": 3, "input_schema": SCHEMA},
    {"capability_key": "dear.v1", "name": "Dear", "price_nc": 30},
    {"capability_key": "odd.v1", "name": "Odd", "price_nc": "3"},
]


class Platform:
    """A mock platform that records its requests."""

    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = []
        self.catalog_reads = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/capability-specs"):
            self.catalog_reads += 1
            return httpx.Response(200, json={"data": {"items": CATALOG}})
        order = json.loads(request.content)
        self.orders.append(order)
        price = {"cheap.v1": 3, "dear.v1": 30}.get(order["capability_key"])
        job = {"id": f"j{len(self.orders)}", "status": "queued", "price_nc": price}
        return httpx.Response(201, json={"data": {**order, **job}})


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def client(platform: Platform, mocked: Callable[..., Any]) -> Any:
    return mocked(platform)


# --- prices --------------------------------------------------------------------------------------


def test_a_price_above_the_maximum_orders_nothing(client: Any, platform: Platform) -> None:
    for method in (client.call, client.run):
        with pytest.raises(PriceTooHigh, match="costs 30 nc, and max_price_nc is 29"):
            method("dear.v1", {}, max_price_nc=29)
    assert platform.orders == []
    client.call("dear.v1", {}, max_price_nc=30)
    assert len(platform.orders) == 1


@pytest.mark.parametrize("key", ["unknown.v1", "odd.v1"])
def test_an_unknown_price_is_refused(client: Any, platform: Platform, key: str) -> None:
    with pytest.raises(PriceTooHigh, match="no known price") as caught:
        client.call(key, {}, max_price_nc=10**9)
    assert caught.value.price_nc is None
    assert platform.orders == []


def test_the_catalog_is_cached_for_five_minutes(
    client: Any, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.call("cheap.v1", {})
    assert platform.catalog_reads == 0
    client.call("cheap.v1", {}, max_price_nc=3)
    client.with_options(timeout=5).call("cheap.v1", {}, max_price_nc=3)
    assert platform.catalog_reads == 1


@pytest.mark.parametrize("maximum", [-1, 1.5, "5", True])
def test_a_maximum_is_a_whole_number(client: Any, maximum: Any) -> None:
    with pytest.raises(ValueError, match="max_price_nc"):
        client.call("cheap.v1", {}, max_price_nc=maximum)


# --- the budget ----------------------------------------------------------------------------------


def test_a_client_and_its_copies_share_their_budget(platform: Platform, mocked: Any) -> None:
    client = mocked(platform, budget_nc=8)
    client.call("cheap.v1", {})
    client.with_options(max_retries=0).call("cheap.v1", {})
    with pytest.raises(BudgetExceeded) as caught:
        client.call("cheap.v1", {})
    assert (caught.value.price_nc, caught.value.left_nc) == (3, 2)
    with pytest.raises(BudgetExceeded, match="no known price"):
        client.call("unknown.v1", {})
    assert len(platform.orders) == 2


class Unreliable:
    """A platform that loses responses, refuses and fails, and counts the real orders."""

    def __init__(self, seed: int, price: int) -> None:
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self.price = price
        self.jobs: dict[str, str] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/capability-specs"):
            entry = {"capability_key": "a.v1", "price_nc": self.price}
            return httpx.Response(200, json={"data": [entry]})
        key = json.loads(request.content)["idempotency_key"]
        with self._lock:
            events = ["order", "order", "lose", "lose", "refuse", "fail", "busy"]
            event = self._random.choice(events)
            if event == "refuse":
                return httpx.Response(402, json={"detail": {"code": "insufficient_balance"}})
            if event == "busy":
                return httpx.Response(429, headers={"Retry-After": "0"})
            if event == "fail" and self._random.random() < 0.5:
                return httpx.Response(500, headers={"Retry-After": "0"})
            status = 200 if key in self.jobs else 201
            job_id = self.jobs.setdefault(key, f"j{len(self.jobs)}")
        if event == "lose":
            raise httpx.ReadError("cut", request=request)
        if event == "fail":
            return httpx.Response(502, headers={"Retry-After": "0"})
        job = {"id": job_id, "status": "queued", "price_nc": self.price}
        return httpx.Response(status, json={"data": job})


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(), st.integers(0, 5), st.integers(0, 40), st.integers(0, 2))
def test_no_mix_of_faults_exceeds_the_budget(
    seed: int, price: int, budget: int, retries: int
) -> None:
    platform = Unreliable(seed, price)
    http_client = httpx.Client(transport=httpx.MockTransport(platform))
    keys = [f"k{number % 9}" for number in range(18)]
    client = NexusClient(
        "nxt_ag_key", http_client=http_client, budget_nc=budget, max_retries=retries
    )
    client._retry = client._retry._replace(first_delay=0.0)

    def order(mine: list[str]) -> None:
        for key in mine:
            try:
                client.call("a.v1", {}, idempotency_key=key)
            except (HebingAPIError, httpx.HTTPError, BudgetExceeded):
                continue

    threads = [threading.Thread(target=order, args=(keys[number::3],)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(platform.jobs) * price <= budget


def test_tasks_of_one_loop_share_the_budget(platform: Platform) -> None:
    async def order_many() -> int:
        http_client = httpx.AsyncClient(transport=httpx.MockTransport(platform))
        client = AsyncNexusClient("nxt_ag_key", http_client=http_client, budget_nc=10)
        calls = (client.call("cheap.v1", {}) for _ in range(20))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        return sum(isinstance(outcome, BudgetExceeded) for outcome in outcomes)

    assert asyncio.run(order_many()) == 17
    assert len(platform.orders) == 3


# --- reuse ---------------------------------------------------------------------------------------


def test_an_equal_input_is_paid_once(client: Any, kernel: Any, make_client: Any) -> None:
    real = make_client(kernel.new_agent().api_key, kernel.base_url)
    first = real.call("test.echo.v1", {"a": 1, "b": [1.5]}, reuse="input")
    assert real.call("test.echo.v1", {"b": [1.5], "a": 1.0}, reuse="input").id == first.id
    assert real.call("test.echo.v1", {"a": 2, "b": [1.5]}, reuse="input").id != first.id
    assert real.call("media.echo.v1", {"a": 1, "b": [1.5]}, reuse="input").id != first.id


def test_reuse_sets_the_idempotency_key(client: Any, platform: Platform) -> None:
    with pytest.raises(ValueError, match="pass either reuse or"):
        client.call("cheap.v1", {}, reuse="input", idempotency_key="k")
    with pytest.raises(ValueError, match="reuse"):
        client.call("cheap.v1", {}, reuse="output")
    with pytest.raises(ValueError, match="send it as a string"):
        client.call("cheap.v1", {"n": 2**60 + 1}, reuse="input")
    assert platform.orders == []


# --- validation ----------------------------------------------------------------------------------


def test_an_invalid_input_is_refused_with_its_place(client: Any, platform: Platform) -> None:
    bad = {"items": [{"size": 1}, {"size": "big"}]}
    with pytest.raises(InputInvalid, match="'big' is not of type 'integer'") as caught:
        client.call("cheap.v1", bad, validate=True)
    assert caught.value.path == "items.1.size"
    assert isinstance(caught.value, ValueError)
    with pytest.raises(InputInvalid) as caught:
        client.run("cheap.v1", {}, validate=True)
    assert caught.value.path == ""
    assert platform.orders == []
    client.call("cheap.v1", {"items": [{"size": 1}]}, validate=True)
    client.call("dear.v1", {"any": "thing"}, validate=True)
    assert len(platform.orders) == 2


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "https://example.com/schema.json"},
        {"properties": {"a": {"$ref": "file:///etc/passwd"}}},
        {"type": "no such type"},
        {"$ref": "#"},
        ["not a schema"],
        5,
    ],
)
def test_an_invalid_schema_sends_and_refuses_nothing(
    client: Any, monkeypatch: pytest.MonkeyPatch, schema: Any
) -> None:
    monkeypatch.setitem(CATALOG[1], "input_schema", schema)
    monkeypatch.setattr("urllib.request.urlopen", None)
    monkeypatch.setattr("socket.create_connection", None)
    client.call("dear.v1", {"a": 1}, validate=True)


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"pattern": "^(a+)+$"}}},
        {"patternProperties": {"^(a+)+$": {}}},
        {
            "$defs": {
                **{f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)},
                "d40": {},
            },
            "$ref": "#/$defs/d0",
        },
    ],
    ids=["pattern", "patternProperties", "references"],
)
def test_a_hostile_schema_does_not_stop_a_call(
    client: Any, monkeypatch: pytest.MonkeyPatch, schema: Any
) -> None:
    monkeypatch.setitem(CATALOG[1], "input_schema", schema)
    client.call("dear.v1", {"a": "a" * 60 + "b", "a" * 60 + "b": 1}, validate=True)


def test_without_the_extra_the_error_names_it(
    client: Any, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    with pytest.raises(ImportError, match=r"pip install 'chaojiyuyan-client\[validate\]'"):
        client.call("cheap.v1", {"items": []}, validate=True)
    assert platform.orders == []
    assert platform.catalog_reads == 0


# --- traces --------------------------------------------------------------------------------------


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The spans that a recording OpenTelemetry provider exports."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    return exporter


def test_an_order_is_a_client_span_and_sends_its_trace(
    client: Any, platform: Platform, spans: Any
) -> None:
    from opentelemetry import baggage, context, trace

    token = context.attach(baggage.set_baggage("user", "secret"))
    client.call("cheap.v1", {}, channel_context={"thread": 5})
    context.detach(token)
    (span,) = spans.get_finished_spans()
    assert (span.name, span.kind) == ("call cheap.v1", trace.SpanKind.CLIENT)
    assert span.attributes["chaojiyuyan.capability_key"] == "cheap.v1"
    trace_id, span_id = f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"
    sent = platform.orders[0]["channel_context"]
    assert sent.keys() == {"thread", "traceparent"}
    assert sent["traceparent"].startswith(f"00-{trace_id}-{span_id}-")


def test_the_callers_own_traceparent_wins(client: Any, platform: Platform, spans: Any) -> None:
    client.call("cheap.v1", {}, channel_context={"traceparent": "mine"})
    assert platform.orders[0]["channel_context"] == {"traceparent": "mine"}


def test_send_traceparent_false_does_not_send_the_trace(
    platform: Platform, mocked: Any, spans: Any
) -> None:
    mocked(platform, send_traceparent=False).call("cheap.v1", {})
    assert "channel_context" not in platform.orders[0]
    assert len(spans.get_finished_spans()) == 1


def test_without_a_recording_provider_no_trace_is_sent(client: Any, platform: Platform) -> None:
    client.call("cheap.v1", {})
    assert "channel_context" not in platform.orders[0]


def test_a_wait_and_a_run_are_client_spans(kernel: Any, make_client: Any, spans: Any) -> None:
    client = make_client(kernel.new_agent().api_key, kernel.base_url)
    job = client.call("test.echo.v1", {})
    kernel.settle(job.id, {})
    client.wait(job.id, timeout=10)
    with pytest.raises(JobTimeout):
        client.run("test.echo.v1", {}, timeout=0.1)
    names = [span.name for span in spans.get_finished_spans()]
    assert names == ["call test.echo.v1", "wait", "run test.echo.v1"]
    assert {span.kind.name for span in spans.get_finished_spans()} == {"CLIENT"}
