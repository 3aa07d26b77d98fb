"""Single faults that a real kernel can't be asked for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from chaojiyuyan_core.settings import Settings
from chaojiyuyan_core.transport import AsyncTransport, Requests, Transport
from chaojiyuyan_mcp.results import ToolError
from chaojiyuyan_mcp.session import Session
from chaojiyuyan_mcp.tools.worker import claim_job, submit_job

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
    """Answers each endpoint with what it was given, in turn, and counts the requests."""

    def __init__(self, **answers: list[httpx.Response]) -> None:
        self._answers = answers
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        endpoint = request.url.path.rsplit("/", 1)[1]
        self.asked.append(endpoint)
        return self._answers[endpoint].pop(0)

    async def _in_time(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)  # a real answer lets others run meanwhile
        return self(request)

    def session(self) -> Session:
        session = Session(Settings("nxt_ag_12345678", BASE_URL, "test", "test"))
        requests = Requests("nxt_ag_12345678", BASE_URL, timeout=5)
        client = httpx.AsyncClient(transport=httpx.MockTransport(self._in_time))
        session.transport = AsyncTransport(requests, http_client=client)
        beats = httpx.Client(transport=httpx.MockTransport(self))
        session.beat_transport = Transport(requests, http_client=beats)
        return session


async def quiet(_: float, __: float, ___: str) -> None:
    pass


def run(platform: Platform, *steps: Callable[[Session], Any]) -> list[Mapping[str, Any]]:
    """Run tools one after the other in one session."""

    async def all_of_them() -> list[Mapping[str, Any]]:
        session = platform.session()
        try:
            return [await step(session) for step in steps]
        finally:
            await session.close()
            await session.transport.http_client.aclose()
            session.beat_transport.http_client.close()

    return asyncio.run(all_of_them())


def claim(session: Session) -> Any:
    return claim_job(session, {}, quiet)


def submit(session: Session) -> Any:
    return submit_job(session, {"job_id": "job_1", "output_envelope": {}}, quiet)


def test_a_malformed_offer_hides_no_other() -> None:
    rows = [None, {"job_id": 7}, {"capability_key": "x"}, OFFER]
    platform = Platform(available=[data({"jobs": rows})], bid=[data(AWARD)])
    (claimed,) = run(platform, claim)
    assert (claimed["claimed"], claimed["jobs_seen"]) == (True, 4)
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


def test_a_bid_that_no_other_can_better_is_an_error() -> None:
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

    async def refused(session: Session) -> dict[str, Any]:
        with pytest.raises(ToolError) as caught:
            await submit(session)
        return {"code": caught.value.code, **caught.value.more}

    _, problem, done = run(platform, claim, refused, submit)
    assert problem == {
        "code": "validation_failed",
        "job_id": "job_1",
        "validation_errors": ["x: missing"],
    }
    assert (done["submitted"], done["result"]) == (True, {"settled": True})


def test_nothing_is_sent_for_a_lost_lease() -> None:
    over = {**AWARD, "lease_expires_at": "2026-11-22T10:00:01.001Z"}  # less the margin: 1 ms
    platform = Platform(available=[data([OFFER])], bid=[data(over)])

    async def until_it_is_over(_: Session) -> dict[str, Any]:
        await asyncio.sleep(0.002)
        return {}

    with pytest.raises(ToolError, match="lease of job job_1 was lost"):
        run(platform, claim, until_it_is_over, submit)
    assert "submit" not in platform.asked


def test_a_page_that_says_not_found_says_nothing_about_the_job() -> None:
    page = httpx.Response(404, html="<title>gone</title>")
    platform = Platform(
        available=[data([OFFER])], bid=[data(AWARD)], submit=[page, data({"settled": True})]
    )

    async def puzzled(session: Session) -> dict[str, Any]:
        with pytest.raises(Exception, match="gone"):
            await submit(session)
        return {}

    assert run(platform, claim, puzzled, submit)[2]["submitted"]


def test_two_submits_at_once() -> None:
    platform = Platform(
        available=[data([OFFER])], bid=[data(AWARD)], submit=[data({"settled": True})]
    )

    async def both(session: Session) -> dict[str, Any]:
        first, second = await asyncio.gather(
            submit(session), submit(session), return_exceptions=True
        )
        assert isinstance(second, ToolError)
        assert "another call" in second.error
        done: dict[str, Any] = first
        return done

    assert run(platform, claim, both)[1]["submitted"]
