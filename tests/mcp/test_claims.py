"""Single faults that the real kernel cannot produce on request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest

from chaojiyuyan_core import http
from chaojiyuyan_core.settings import Settings
from chaojiyuyan_mcp._consent import Order
from chaojiyuyan_mcp._orders import Limits
from chaojiyuyan_mcp._results import Results, ToolError
from chaojiyuyan_mcp._services import Services
from chaojiyuyan_mcp._tools.tool import ToolCall
from chaojiyuyan_mcp._tools.worker import claim_job, submit_job

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from chaojiyuyan_mcp._client import Client

BASE_URL = "http://127.0.0.1/api/v1"
OFFER = {"job_id": "job_1", "capability_key": "test.echo.v1", "input_envelope": {}}
AWARD = {
    "accepted": True,
    "task_run_id": "run_1",
    "lease_expires_at": "2026-11-22T10:00:30Z",
}
DATE = {"date": "Sun, 22 Nov 2026 10:00:00 GMT"}


def data(value: object, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json={"data": value}, headers=DATE)


def error(status: int, code: str) -> httpx.Response:
    return httpx.Response(status, json={"detail": {"error": "no", "code": code}}, headers=DATE)


class Platform:
    """A server that sends prepared responses for each endpoint in order and counts requests."""

    def __init__(self, **answers: list[httpx.Response]) -> None:
        self._answers = answers
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        endpoint = request.url.path.rsplit("/", 1)[1]
        self.asked.append(endpoint)
        return self._answers[endpoint].pop(0)

    async def _in_time(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)  # other tasks can run, as with a real response
        if not self._answers[request.url.path.rsplit("/", 1)[1]]:
            await asyncio.sleep(60)
        return self(request)

    def services(self) -> Services:
        settings = Settings("nxt_ag_12345678", BASE_URL, "test", "test")
        services = Services(settings, Limits())
        client = httpx.AsyncClient(transport=httpx.MockTransport(self._in_time))
        builder = http.RequestBuilder("nxt_ag_12345678", BASE_URL)
        services.platform.transport = http.AsyncTransport(builder, http_client=client)
        beats = httpx.Client(transport=httpx.MockTransport(self))
        services.platform.heartbeat_transport = http.Transport(builder, http_client=beats)
        return services


def run(platform: Platform, *steps: Callable[[Services], Any]) -> list[Mapping[str, Any]]:
    """Run tools of one server in order."""

    async def all_of_them() -> list[Mapping[str, Any]]:
        services = platform.services()
        try:
            return [await step(services) for step in steps]
        finally:
            await services.close()
            await services.platform.transport.http_client.aclose()
            services.platform.heartbeat_transport.http_client.close()

    return asyncio.run(all_of_them())


def claim(services: Services) -> Any:
    return answer(claim_job, services, {})


def submit(services: Services) -> Any:
    return answer(submit_job, services, {"job_id": "job_1", "output_envelope": {}})


async def until_it_is_lost(services: Services) -> Any:
    """Wait until the lease of the job is lost, and return the job."""
    while (job := services.claims.find("job_1"))["status"] == "claimed":
        await asyncio.sleep(0.01)
    return job


async def answer(
    tool: Callable[[ToolCall], Any], services: Services, arguments: dict[str, Any]
) -> Mapping[str, Any]:
    """Call a tool. The tools of a worker do not use the client."""
    answered = await tool(
        ToolCall(arguments, cast("Client", None), services, Results(services.platform.settings))
    )
    data: Mapping[str, Any] = answered.data
    return data


def test_a_malformed_offer_does_not_hide_others() -> None:
    rows = [None, {"job_id": 7}, {"capability_key": "x"}, {**OFFER, "job_id": ".."}, OFFER]
    platform = Platform(available=[data({"jobs": rows})], bid=[data(AWARD)])
    (claimed,) = run(platform, claim)
    assert (claimed["claimed"], claimed["jobs_seen"]) == (True, 5)
    assert claimed["job"] == {
        **OFFER,
        "task_run_id": "run_1",
        "lease_expires_at": AWARD["lease_expires_at"],
    }


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (data({"accepted": False, "code": "already_awarded"}), "already_awarded"),
        (error(410, "bid_window_expired"), "bid_window_expired"),
        (error(404, "kernel_job_not_found"), "kernel_job_not_found"),
        (httpx.Response(409, text="?"), "http_409"),
    ],
)
def test_a_lost_bid_leads_to_the_next(answer: httpx.Response, code: str) -> None:
    second = {**OFFER, "job_id": "job_2"}
    platform = Platform(available=[data([OFFER, second])], bid=[answer, data(AWARD)])
    (claimed,) = run(platform, claim)
    assert claimed["job"]["job_id"] == "job_2"
    assert claimed["rejections"] == [{"job_id": "job_1", "code": code, "awarded_to_agent_id": None}]


def test_a_bid_refused_for_every_job_is_an_error() -> None:
    platform = Platform(
        available=[data([OFFER, OFFER])], bid=[error(403, "capability_not_in_handler_set")]
    )
    with pytest.raises(Exception, match="capability_not_in_handler_set"):
        run(platform, claim)
    assert platform.asked == ["available", "bid"]


def test_an_unsettled_answer_leaves_the_job_held() -> None:
    refusal = {"settled": False, "code": "validation_failed", "validation_errors": ["x: missing"]}
    platform = Platform(
        available=[data([OFFER])],
        bid=[data(AWARD)],
        submit=[data(refusal), data({"settled": True})],
    )

    async def refused(services: Services) -> dict[str, Any]:
        with pytest.raises(ToolError) as caught:
            await submit(services)
        return {"code": caught.value.code, **caught.value.more}

    _, problem, done = run(platform, claim, refused, submit)
    assert problem == {
        "code": "validation_failed",
        "job_id": "job_1",
        "validation_errors": ["x: missing"],
    }
    assert (done["submitted"], done["result"]) == (True, {"settled": True})


def test_nothing_is_sent_for_a_lost_lease() -> None:
    short = {**AWARD, "lease_expires_at": "2026-11-22T10:00:02.1Z"}
    gone = error(404, "task_run_not_found")
    platform = Platform(available=[data([OFFER])], bid=[data(short)], heartbeat=[gone])

    with pytest.raises(ToolError, match="lease of job job_1 was lost"):
        run(platform, claim, until_it_is_lost, submit)
    assert "submit" not in platform.asked


def test_the_input_of_a_lost_job_is_dropped() -> None:
    large = {**OFFER, "input_envelope": {"text": "x"}}
    short = {**AWARD, "lease_expires_at": "2026-11-22T10:00:02.1Z"}
    gone = error(404, "task_run_not_found")
    platform = Platform(available=[data([large])], bid=[data(short)], heartbeat=[gone])

    assert run(platform, claim, until_it_is_lost)[1] == {"id": "job_1", "status": "lost"}


def test_old_claims_that_have_ended_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chaojiyuyan_mcp._claims.MAX_REMEMBERED_CLAIMS", 2)
    offers = [{**OFFER, "job_id": f"job_{number}"} for number in (1, 2, 3)]
    platform = Platform(
        available=[data([offer]) for offer in offers],
        bid=[data(AWARD)] * 3,
        submit=[data({"settled": True})],
    )

    async def known(services: Services) -> dict[str, Any]:
        return {offer["job_id"]: services.claims.find(offer["job_id"]) for offer in offers}

    *_, before, _, after = run(platform, claim, submit, claim, known, claim, known)
    assert [job is not None for job in before.values()] == [True, True, False]
    assert [job is not None for job in after.values()] == [False, True, True]


def test_no_bid_starts_when_the_call_has_no_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chaojiyuyan_mcp._platform.CALL_TIMEOUT", 1.0)
    platform = Platform(available=[data([OFFER])])
    assert run(platform, claim)[0] == {"claimed": False, "jobs_seen": 1, "rejections": []}
    assert platform.asked == ["available"]


def test_a_bid_without_an_answer_ends_with_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chaojiyuyan_mcp._platform.CALL_TIMEOUT", 0.2)
    monkeypatch.setattr("chaojiyuyan_mcp._tools.worker.MIN_BID_SECONDS", 0.0)
    platform = Platform(available=[data([OFFER])], bid=[])
    with pytest.raises(httpx.TimeoutException):
        run(platform, claim)


def test_an_html_404_says_nothing_about_the_job() -> None:
    page = httpx.Response(404, html="<title>gone</title>")
    platform = Platform(
        available=[data([OFFER])], bid=[data(AWARD)], submit=[page, data({"settled": True})]
    )

    assert run(platform, claim, submit)[1]["submitted"]
    assert platform.asked.count("submit") == 2


def test_a_lost_submit_followed_by_404_is_probably_settled() -> None:
    unreadable = httpx.Response(200, text="?")
    platform = Platform(
        available=[data([OFFER])],
        bid=[data(AWARD)],
        submit=[unreadable, error(404, "task_run_not_found")],
    )
    with pytest.raises(ToolError) as caught:
        run(platform, claim, submit)
    assert caught.value.code == "task_run_not_found"
    assert "probably settled" in str(caught.value.hint)


def test_a_concurrent_second_submit_is_refused() -> None:
    platform = Platform(
        available=[data([OFFER])], bid=[data(AWARD)], submit=[data({"settled": True})]
    )

    async def both(services: Services) -> dict[str, Any]:
        first, second = await asyncio.gather(
            submit(services), submit(services), return_exceptions=True
        )
        assert isinstance(second, ToolError)
        assert "Another call" in second.error
        done: dict[str, Any] = first
        return done

    assert run(platform, claim, both)[1]["submitted"]


def test_an_order_has_only_the_time_that_its_price_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chaojiyuyan_mcp._platform.CALL_TIMEOUT", 5.0)
    allowed: list[float] = []

    async def respond(request: httpx.Request) -> httpx.Response:
        allowed.append(request.extensions["timeout"].get("read"))
        await asyncio.sleep(0.2)
        if request.method == "GET":
            return data([{"capability_key": "test.echo.v1", "price_nc": 1}])
        return data({"id": "job_1", "status": "queued", "price_nc": 1})

    async def order() -> None:
        services = Services(Settings("nxt_ag_12345678", BASE_URL, "test", "test"), Limits(None, 9))
        async with httpx.AsyncClient(transport=httpx.MockTransport(respond)) as client:
            builder = http.RequestBuilder("nxt_ag_12345678", BASE_URL)
            services.platform.transport = http.AsyncTransport(builder, http_client=client)
            await services.orders.place(Order("test.echo.v1", {}), cast("Client", None))

    asyncio.run(order())
    assert allowed[1] < allowed[0] - 0.1
