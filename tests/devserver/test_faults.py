"""Injected faults over HTTP."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import httpx
import pytest

from chaojiyuyan_devserver._faults import PRESETS, Faults, parse

if TYPE_CHECKING:
    from chaojiyuyan_devserver.testing import LocalKernel
    from support.browser import PlainBrowser

CALL = {"capability_key": "test.echo.v1"}


def test_a_status_fault_applies_to_the_named_request(
    kernel: LocalKernel, kernel_client: httpx.Client
) -> None:
    kernel.set_faults(["create=503@2"])
    answers = [kernel_client.post("/kernel-jobs", json=CALL) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 503, 201]
    assert answers[1].json()["detail"]["code"] == "injected_fault"


@pytest.mark.parametrize(("effect", "made"), [("drop-before", 0), ("drop-after", 1)])
def test_a_dropped_response_was_served(
    kernel: LocalKernel, kernel_client: httpx.Client, effect: str, made: int
) -> None:
    with kernel.client(kernel.new_agent().api_key) as client:
        kernel.set_faults([f"create={effect}"])
        # A server that closes with unread bytes, here the body, may reset the connection.
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            client.post("/kernel-jobs", json=CALL)
        kernel.clear_faults()
        assert len(client.get("/kernel-jobs").json()["data"]["items"]) == made


def test_responses_are_broken_or_delayed(kernel: LocalKernel, kernel_client: httpx.Client) -> None:
    kernel.set_faults(["catalog=junk@1", "catalog=html@2", "catalog=delay:0.3s@3"])
    junk = kernel_client.get("/capability-specs")
    assert junk.status_code == 200
    with pytest.raises(ValueError):
        junk.json()
    html = kernel_client.get("/capability-specs")
    assert (html.status_code, html.headers["content-type"]) == (502, "text/html")
    late = kernel_client.get("/capability-specs")
    assert late.status_code == 200
    assert late.elapsed.total_seconds() >= 0.3


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_set_by_its_name(kernel: LocalKernel, name: str) -> None:
    kernel.set_faults([name, "catalog=418"])
    with kernel.client() as client, suppress(httpx.TransportError):
        assert client.get("/capability-specs").status_code in (418, 429, 502)


def test_any_applies_to_all_endpoints_with_retry_after(
    kernel: LocalKernel, kernel_client: httpx.Client
) -> None:
    kernel.set_faults(["any=429"])
    for path in ("/kernel-jobs", "/capability-specs", "/kernel-jobs/available"):
        answer = kernel_client.get(path)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")


def test_an_expired_lease_is_re_routed(kernel: LocalKernel, kernel_client: httpx.Client) -> None:
    keys = {"capability_keys": ["test.echo.v1"]}
    kernel_client.post("/kernel-agents/me/capabilities", json=keys)
    job_id = kernel_client.post("/kernel-jobs", json=CALL).json()["data"]["id"]
    kernel.set_faults(["heartbeat=expire-lease@2"])
    kernel_client.post(f"/kernel-jobs/{job_id}/bid", json={})
    beats = [kernel_client.post(f"/kernel-jobs/{job_id}/heartbeat") for _ in range(2)]
    assert [answer.status_code for answer in beats] == [200, 410]
    assert beats[1].json()["detail"]["code"] == "lease_expired"
    assert kernel.job(job_id)["attempts"][0]["status"] == "lease_expired"


def test_a_job_records_the_faults_of_its_requests(
    kernel: LocalKernel, kernel_client: httpx.Client, browser: PlainBrowser
) -> None:
    kernel.set_faults(["create=delay:0.01s@1", "get=503@1", "events=drop-before@1"])
    job_id = kernel_client.post("/kernel-jobs", json=CALL).json()["data"]["id"]
    kernel_client.get(f"/kernel-jobs/{job_id}")
    with pytest.raises(httpx.RemoteProtocolError):
        kernel_client.get(f"/kernel-jobs/{job_id}/events")
    page = browser.get(f"/jobs/{job_id}").text
    for fault in ("create=delay:0.01s@1", "get=503@1", "events=drop-before@1"):
        assert fault in page
    events = kernel_client.get(f"/kernel-jobs/{job_id}/events").json()["data"]["items"]
    assert [event["event_type"] for event in events] == ["job.created", "job.bidding"]


def test_a_fault_applies_to_a_share_of_requests() -> None:
    faults = Faults()
    faults.set(["submit=503@10%"])
    struck = sum(bool(faults.pick("submit")) for _ in range(5000))
    assert 300 < struck < 700
    assert not faults.pick("bid")


@pytest.mark.parametrize(
    "text",
    [
        "submit",
        "nobody=503",
        "submit=999",
        "submit=503@",
        "submit=delay:2",
        "submit=503@x%",
        "get=expire-lease",
    ],
)
def test_an_invalid_fault_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected ENDPOINT=EFFECT"):
        parse(text)
