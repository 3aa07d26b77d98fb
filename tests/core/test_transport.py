from __future__ import annotations

import asyncio
import gzip
import json
import pickle
import re
import subprocess
import sys
from typing import Any
from urllib.parse import quote_plus

import httpx
import pytest

from chaojiyuyan_core import __version__, api
from chaojiyuyan_core.http import (
    AsyncTransport,
    Notify,
    RequestBuilder,
    Retry,
    Sleep,
    Timeouts,
    Transport,
    encode_body,
    request,
    run,
    run_async,
)
from chaojiyuyan_core.redaction import mask_key

BASE = "https://api.example/api/v1"
JOB = {"id": "j1", "status": "queued"}


class Wire:
    """A mock transport that records requests and sends prepared responses in order."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers) or [httpx.Response(200, json={"data": JOB})]
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def builder(source: str | None = None, timeout: float = 30.0) -> RequestBuilder:
    return RequestBuilder("nxt_ag_key", BASE, timeout=timeout, source=source)


@pytest.mark.parametrize("source", [None, "worker"])
def test_the_headers_name_version_and_source(source: str | None) -> None:
    built = builder(source).build(api.create_job("c", {"text": "你好"}))
    about = rf"chaojiyuyan-sdk/{re.escape(__version__)} \(python/\d\.\d+; \w+(; worker)?\)"
    assert re.fullmatch(about, built.headers["user-agent"])
    assert built.headers["user-agent"].endswith("; worker)") is (source == "worker")
    assert built.headers["x-sdk-version"] == __version__
    assert built.headers.get("x-sdk-source") == source
    assert built.headers["authorization"] == "Bearer nxt_ag_key"
    assert built.headers["content-type"] == "application/json"
    assert built.headers["host"] == "api.example"
    assert built.headers["accept"] == "application/json"
    assert json.loads(built.content)["input_payload"] == {"text": "你好"}
    assert str(built.url) == f"{BASE}/kernel-jobs"


def test_a_compressed_response_is_read() -> None:
    assert "gzip" in builder().build(api.get_job("j1")).headers["accept-encoding"]
    content = gzip.compress(json.dumps({"data": JOB}).encode())
    wire = Wire(httpx.Response(200, content=content, headers={"Content-Encoding": "gzip"}))
    client = httpx.Client(transport=httpx.MockTransport(wire))
    transport = Transport(builder(), http_client=client)
    assert run(request(api.get_job("j1"), Retry()), transport) == JOB


def test_content_type_and_prefer_are_sent_only_when_needed() -> None:
    built = builder().build(api.get_job("j1", wait=20.9))
    assert "content-type" not in built.headers
    assert built.headers["prefer"] == "wait=20"
    assert "prefer" not in builder().build(api.get_job("j1")).headers
    assert "authorization" not in builder().build(api.start_device_login("me")).headers
    assert "authorization" not in RequestBuilder(None, BASE, timeout=1).build(api.bid("j")).headers


def test_requests_of_one_kind_share_no_headers() -> None:
    maker = builder()
    first, second = (maker.build(api.create_job("c", {"n": n})) for n in ("1", "22"))
    assert first.headers["content-length"] != second.headers["content-length"]
    first.headers["x-test"] = "1"
    assert "x-test" not in maker.build(api.create_job("c", {})).headers


@pytest.mark.parametrize(
    "base", ["http://127.0.0.1:8", BASE, "http://[::1]:80/a b", "https://é.de/%7Ex"]
)
@pytest.mark.parametrize("text", ["job-1", "a+b~c", "..a", "ä b/c?d#e%", ":@!$&'()*,;="])
def test_a_url_built_from_parts_equals_httpx(base: str, text: str) -> None:
    builder = RequestBuilder(None, base)
    bid, poll = api.bid(text), api.available_jobs(limit=3, capability_key=text)
    assert builder.build(bid).url == httpx.URL(base + bid.path)
    query = f"?limit=3&capability_key={quote_plus(text)}"
    assert builder.build(poll).url == httpx.URL(base + poll.path + query)


def test_a_body_is_encoded_once_for_all_attempts() -> None:
    output: dict[str, object] = {"n": 1}
    call = api.submit("j", output)
    body = encode_body(call)
    output["n"] = float("nan")  # it was already encoded
    assert RequestBuilder(None, BASE).build(call).content == body == encode_body(call)


def test_a_query_is_quoted() -> None:
    built = builder().build(api.list_jobs(limit=5, capability_key="a&b=c d"))
    assert dict(built.url.params) == {"limit": "5", "capability_key": "a&b=c d"}


@pytest.mark.parametrize(
    ("given", "parsed"),
    [
        (5, (5, 5, 5, 5)),
        (None, (None, None, None, None)),
        ((1, 2.5), (1, 2.5, None, None)),
        ((1, None, 3, 4), (1, None, 3, 4)),
        (httpx.Timeout(7, read=None), (7, None, 7, 7)),
        (httpx.Timeout(None), (None, None, None, None)),
    ],
)
def test_a_timeout_is_accepted_in_each_form_of_httpx(given: Any, parsed: Any) -> None:
    assert RequestBuilder("nxt_ag_key", BASE, timeout=given).timeouts == parsed


@pytest.mark.parametrize("part", [0, -1, float("nan"), float("inf"), 1e300])
def test_an_invalid_timeout_is_a_value_error(part: float) -> None:
    for given in (part, (1.0, part), (1.0, 1.0, 1.0, part)):
        with pytest.raises(ValueError, match="timeout"):
            Timeouts.parse(given)


@pytest.mark.parametrize("given", ["5", True, (1,), (1, 2, 3, 4, 5), [1, 2], object()])
def test_a_timeout_of_another_type_is_a_type_error(given: Any) -> None:
    with pytest.raises(TypeError, match="timeout"):
        Timeouts.parse(given)


@pytest.mark.parametrize("body", [{"n": float("nan")}, {"n": float("inf")}, {"n": object()}])
def test_a_body_that_is_not_json_is_refused(body: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        encode_body(api.create_job("c", body))


def test_threads_that_start_together_share_one_tls_context() -> None:
    code = """
import threading
from chaojiyuyan_core.http._tls import shared_ssl_context
together = threading.Barrier(8)
made = []
def make():
    together.wait()
    made.append(shared_ssl_context())
threads = [threading.Thread(target=make) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert len({id(context) for context in made}) == 1
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# --- a passed-in client ---------------------------------------------------------------------------


def sent_by(client: httpx.Client, wire: Wire, call: api.Call[Any]) -> httpx.Request:
    assert Transport(builder(), http_client=client).send(call).is_success
    return wire.requests[-1]


def test_a_plain_client_gets_our_base_url_and_headers() -> None:
    wire = Wire()
    request = sent_by(httpx.Client(transport=httpx.MockTransport(wire)), wire, api.get_job("j"))
    assert str(request.url) == f"{BASE}/kernel-jobs/j"
    assert request.headers["authorization"] == "Bearer nxt_ag_key"
    assert request.headers["user-agent"].startswith("chaojiyuyan-sdk/")


def test_a_clients_own_base_url_and_headers_win() -> None:
    wire = Wire()
    client = httpx.Client(
        transport=httpx.MockTransport(wire),
        base_url="https://other.example/v9",
        headers={"Authorization": "Bearer theirs", "User-Agent": "theirs"},
    )
    request = sent_by(client, wire, api.list_jobs(limit=5))
    assert str(request.url) == "https://other.example/v9/kernel-jobs?limit=5"
    assert request.headers["authorization"] == "Bearer theirs"
    assert request.headers["user-agent"] == "theirs"
    assert request.headers["x-sdk-version"] == __version__


def test_a_passed_in_client_stays_open() -> None:
    client = httpx.Client(transport=httpx.MockTransport(Wire()))
    Transport(builder(), http_client=client).close()
    assert not client.is_closed


def test_a_passed_in_client_keeps_its_timeout() -> None:
    wire = Wire()
    client = httpx.Client(transport=httpx.MockTransport(wire), timeout=httpx.Timeout(4, read=7))
    timeouts = sent_by(client, wire, api.get_job("j1", wait=20)).extensions["timeout"]
    assert dict(timeouts) == {"connect": 4, "read": 27, "write": 4, "pool": 4}


def test_a_client_of_the_other_kind_is_refused() -> None:
    with pytest.raises(TypeError, match=r"pass an httpx\.Client"):
        Transport(builder(), httpx.AsyncClient())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"pass an httpx\.AsyncClient"):
        AsyncTransport(builder(), httpx.Client())  # type: ignore[arg-type]


def test_closing_a_shared_transport_keeps_the_connections() -> None:
    own = Transport(builder())
    own.sharing(builder(timeout=1)).close()
    assert own.send(api.get_job("j"), timeout=0).fault is not None
    own.close()
    with pytest.raises(RuntimeError, match="closed"):
        own.send(api.get_job("j"))


def test_a_response_read_by_a_hook_is_used() -> None:
    wire = httpx.MockTransport(Wire())
    with httpx.Client(transport=wire, event_hooks={"response": [lambda r: r.read()]}) as client:
        assert Transport(builder(), client).send(api.get_job("j1")).value(api.get_job("j1")) == JOB


# --- the drivers ----------------------------------------------------------------------------------


def test_both_drivers_run_the_same_flow() -> None:
    def flow() -> Any:
        return request(api.get_job("j1"), Retry())

    wires = [Wire(httpx.ReadError("cut"), httpx.Response(200, json=JOB)) for _ in range(2)]
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def main() -> Any:
        client = httpx.AsyncClient(transport=httpx.MockTransport(wires[1]))
        async with client:
            transport = AsyncTransport(builder(), http_client=client)
            return await run_async(flow(), transport, sleep=sleep)

    client = httpx.Client(transport=httpx.MockTransport(wires[0]))
    transport = Transport(builder(), http_client=client)
    assert run(flow(), transport, sleep=slept.append) == asyncio.run(main()) == JOB
    assert [len(wire.requests) for wire in wires] == [2, 2]
    assert len(slept) == 2


def test_an_interrupted_driver_closes_the_flow() -> None:
    closed = []

    def flow() -> Any:
        try:
            yield Sleep(1)
        finally:
            closed.append(True)

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(flow(), Transport(builder()), sleep=interrupt)
    assert closed == [True]


def test_an_async_listener_needs_the_async_driver() -> None:
    told: list[object] = []

    async def listener(news: object) -> None:
        await asyncio.sleep(0)
        told.append(news)

    def flow() -> Any:
        yield Notify(told.append, "plain")
        yield Notify(listener, "async")

    asyncio.run(run_async(flow(), AsyncTransport(builder())))
    assert told == ["plain", "async"]
    with pytest.raises(TypeError, match="async client"):
        run(flow(), Transport(builder()))


def test_by_default_the_async_driver_sleeps_without_blocking() -> None:
    def flow() -> Any:
        yield Sleep(0.001)
        return "slept"

    assert asyncio.run(run_async(flow(), AsyncTransport(builder()))) == "slept"


def test_a_call_waits_for_a_connection_in_use(kernel: Any) -> None:
    maker = RequestBuilder(kernel.api_key, kernel.base_url, timeout=5)

    async def main() -> None:
        transport = AsyncTransport(maker, max_connections=1)
        job = await run_async(request(api.create_job("test.echo.v1", {}), Retry(0)), transport)
        held, other = await asyncio.gather(
            transport.send(api.get_job(job["id"], wait=2)), transport.send(api.list_jobs())
        )
        assert held.is_success
        assert other.is_success
        await transport.close()

    asyncio.run(main())


def test_another_exception_is_raised_at_once() -> None:
    wire = Wire(ZeroDivisionError())
    transport = Transport(builder(), http_client=httpx.Client(transport=httpx.MockTransport(wire)))
    with pytest.raises(ZeroDivisionError):
        transport.send(api.get_job("j"))


def test_the_user_agent_has_the_common_name_of_the_system() -> None:
    system = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}.get(sys.platform)
    assert system is None or system in builder().build(api.bid("j")).headers["user-agent"]


def test_an_exception_of_a_hook_is_a_fault() -> None:
    def strict(response: httpx.Response) -> None:
        response.raise_for_status()

    wire = httpx.MockTransport(Wire(httpx.Response(503)))
    with httpx.Client(transport=wire, event_hooks={"response": [strict]}) as client:
        answer = Transport(builder(), http_client=client).send(api.get_job("j1"))
    assert isinstance(answer.fault, httpx.HTTPStatusError)


def test_an_exception_of_a_hook_does_not_have_the_key() -> None:
    def strict(response: httpx.Response) -> None:
        response.read()
        response.raise_for_status()

    echo = httpx.Response(403, headers={"x-echo": "nxt_ag_key"}, json={"detail": "nxt_ag_key"})
    with httpx.Client(
        transport=httpx.MockTransport(Wire(echo)), event_hooks={"response": [strict]}
    ) as client:
        fault = Transport(builder(), http_client=client).send(api.get_job("j1")).fault
    assert isinstance(fault, httpx.HTTPStatusError)
    assert fault.response.json() == {"detail": mask_key("nxt_ag_key")}
    assert b"nxt_ag_key" not in pickle.dumps(fault)
