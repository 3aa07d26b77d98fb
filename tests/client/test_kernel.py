"""Both clients with the local kernel, over real HTTP."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest

from chaojiyuyan_core.errors import (
    AuthenticationError,
    BadRequestError,
    HebingAPIError,
    JobFailed,
    JobTimeout,
    NotFoundError,
    ServerError,
)
from support.background import meanwhile

ECHO = "test.echo.v1"


def test_a_job_is_ordered_read_and_listed(client: Any) -> None:
    job = client.call(ECHO, {"text": "你好"})
    assert not job.done
    assert client.get_job(job.id)["input_envelope"] == {"text": "你好"}
    assert [listed.id for listed in client.jobs()] == [job.id]
    assert [event["event_type"] for event in client.job_events(job.id)]
    assert list(client.job_events(job.id)) == list(job.events())


def test_the_job_equals_what_the_server_sent(client: Any, kernel: Any, agent: Any) -> None:
    job = client.call(ECHO, {})
    with kernel.client(agent.api_key) as http:
        assert client.get_job(job.id) == http.get(f"/kernel-jobs/{job.id}").json()["data"]


def test_the_catalog_can_be_filtered_by_category(client: Any) -> None:
    catalog = client.capabilities()
    assert ECHO in [spec["capability_key"] for spec in catalog]
    of_test = client.capabilities(category="test")
    assert of_test == [spec for spec in catalog if spec["category"] == "test"]
    assert client.capabilities(category="no such") == []


def test_run_returns_the_output(client: Any, kernel: Any, agent: Any) -> None:
    def settle() -> None:
        with kernel.client(agent.api_key) as http:
            while not (jobs := http.get("/kernel-jobs").json()["data"]["items"]):
                pass
        kernel.settle(jobs[0]["id"], {"text": "HI"})

    with meanwhile(settle):
        assert client.run(ECHO, {"text": "hi"}, timeout=30) == {"text": "HI"}


def test_a_job_waits_and_returns_its_result(client: Any, kernel: Any) -> None:
    job = client.call(ECHO, {})
    told: list[str] = []
    with meanwhile(lambda: kernel.settle(job.id, {"n": 1}, [{"kind": "json"}]), delay=0.3):
        done = job.wait(timeout=30, on_update=lambda job: told.append(job.status))
    assert done.succeeded
    assert not job.done
    assert done.result() == job.result(timeout=5) == {"n": 1}
    assert done.artifacts[0]["kind"] == "json"
    assert told == ["bidding", "succeeded"] or told == ["succeeded"]


@pytest.mark.parametrize("how", ["fail", "cancel"])
def test_an_unsuccessful_job_raises_only_in_result(client: Any, kernel: Any, how: str) -> None:
    job = client.call(ECHO, {})
    getattr(kernel, how)(job.id)
    assert job.wait(timeout=5).status == {"fail": "failed", "cancel": "cancelled"}[how]
    with pytest.raises(JobFailed) as caught:
        job.result(timeout=5)
    assert caught.value.job_id == job.id
    assert caught.value.error_code == {"fail": "worker_failed", "cancel": "cancelled"}[how]


def test_run_names_the_unfinished_job(client: Any) -> None:
    with pytest.raises(JobTimeout) as caught:
        client.run(ECHO, {}, timeout=0.3)
    assert client.get_job(caught.value.job_id).status == "bidding"
    assert caught.value.timeout == 0.3


def test_a_repeated_idempotency_key_returns_the_same_job(client: Any) -> None:
    first = client.call(ECHO, {"n": 1}, idempotency_key="same")
    assert client.call(ECHO, {"n": 1}, idempotency_key="same").id == first.id
    assert client.call(ECHO, {"n": 1}).id != client.call(ECHO, {"n": 1}).id


def test_optional_fields_are_sent_only_when_given(client: Any, kernel: Any) -> None:
    job = client.call(ECHO, None, timeout_sec=77, channel_context={"from": "here"})
    seen = client.get_job(job.id)
    assert (seen["timeout_sec"], seen["channel_context"]) == (77, {"from": "here"})


# --- refusals ------------------------------------------------------------------------------------


def test_an_unknown_capability_is_a_bad_request_with_its_code(client: Any) -> None:
    with pytest.raises(BadRequestError) as caught:
        client.call("no.such.v1", {})
    assert (caught.value.status_code, caught.value.code) == (400, "unknown_capability")


def test_a_job_of_another_agent_is_not_found(client: Any, kernel: Any, make_client: Any) -> None:
    job = client.call(ECHO, {})
    stranger = make_client(kernel.new_agent().api_key, kernel.base_url)
    for job_id in (job.id, "job_none"):
        with pytest.raises(NotFoundError):
            stranger.get_job(job_id)
        with pytest.raises(NotFoundError):
            stranger.wait(job_id, timeout=5)
    assert list(stranger.jobs()) == []


def test_a_wrong_key_is_an_error_that_does_not_show_it(kernel: Any, make_client: Any) -> None:
    client = make_client("nxt_ag_thisisnosuchkey", kernel.base_url)
    with pytest.raises(AuthenticationError) as caught:
        client.capabilities()
    assert "nosuchkey" not in f"{caught.value!r} {caught.value.__dict__!r} {client!r}"


@pytest.mark.parametrize("job_id", ["../capability-specs", "a/b", "a?b", "a#b", "ü", "%2e%2e", " "])
def test_an_id_is_one_path_segment(client: Any, job_id: str) -> None:
    with pytest.raises(NotFoundError):
        client.get_job(job_id)


@pytest.mark.parametrize("job_id", ["", ".", ".."])
def test_an_id_that_is_not_a_segment_is_refused(client: Any, job_id: str) -> None:
    with pytest.raises(ValueError, match="not an id"):
        client.get_job(job_id)


def test_an_input_that_is_not_json_sends_no_request(client: Any) -> None:
    for payload in ({"n": float("nan")}, {"n": object()}):
        with pytest.raises((ValueError, TypeError)):
            client.call(ECHO, payload)
    assert list(client.jobs()) == []


# --- faults --------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["503", "drop-before", "drop-after"])
def test_a_retried_call_creates_one_job(client: Any, kernel: Any, fault: str) -> None:
    kernel.set_faults([f"create={fault}@1"])
    job = client.call(ECHO, {})
    assert [listed.id for listed in client.jobs()] == [job.id]


@pytest.mark.parametrize("fault", ["503", "500", "429", "drop-before", "drop-after"])
def test_without_an_idempotency_key_nothing_is_retried(
    kernel: Any, agent: Any, make_client: Any, fault: str
) -> None:
    client = make_client(agent.api_key, kernel.base_url, auto_idempotency=False)
    kernel.set_faults([f"create={fault}@1"])
    with pytest.raises((HebingAPIError, httpx.HTTPError)):
        client.call(ECHO, {})
    assert len(list(client.jobs())) == (1 if fault == "drop-after" else 0)


def test_reads_survive_a_fault(client: Any, kernel: Any) -> None:
    job = client.call(ECHO, {})
    kernel.set_faults(["get=503@1", "list=drop-before@1", "events=drop-after@1", "catalog=429@1"])
    assert client.get_job(job.id).id == job.id
    assert [listed.id for listed in client.jobs()] == [job.id]
    assert list(client.job_events(job.id))
    assert client.capabilities()


@pytest.mark.parametrize("max_retries", [0, 1])
def test_the_number_of_retries_is_limited(kernel: Any, client: Any, max_retries: int) -> None:
    kernel.set_faults(["catalog=503"])
    impatient = client.with_options(max_retries=max_retries)
    with pytest.raises(ServerError) as caught:
        impatient.capabilities()
    assert caught.value.status_code == 503
    kernel.set_faults([f"catalog=503@{max_retries + 1}"])
    if max_retries:
        assert impatient.capabilities()


def test_a_timeout_is_an_httpx_timeout(kernel: Any, client: Any) -> None:
    kernel.set_faults(["catalog=delay:3s"])
    with pytest.raises(httpx.ReadTimeout):
        client.with_options(timeout=0.2, max_retries=0).capabilities()


@pytest.mark.parametrize("fault", ["html", "junk"])
def test_an_invalid_response_is_a_format_error(kernel: Any, client: Any, fault: str) -> None:
    kernel.set_faults([f"catalog={fault}"])
    with pytest.raises(HebingAPIError):
        client.capabilities()


def test_a_wait_survives_every_fault(client: Any, kernel: Any) -> None:
    job = client.call(ECHO, {})
    kernel.set_faults(["get=503@1", "get=drop-after@2", "get=html@3"])
    with meanwhile(lambda: kernel.settle(job.id, {"ok": True}), delay=0.2):
        assert job.result(timeout=60) == {"ok": True}


def test_a_wait_survives_a_restart_of_a_killed_kernel(
    kernel_factory: Any, make_client: Any
) -> None:
    kernel = kernel_factory()
    client = make_client(kernel.api_key, kernel.base_url)
    job = client.call(ECHO, {})

    def crash() -> None:
        kernel.kill()
        kernel.restart()
        kernel.settle(job.id, {"ok": True})

    with meanwhile(crash, delay=0.2):
        assert job.result(timeout=60) == {"ok": True}


def test_a_wait_for_a_dead_kernel_times_out_with_the_fault(
    kernel_factory: Any, make_client: Any
) -> None:
    kernel = kernel_factory()
    client = make_client(kernel.api_key, kernel.base_url)
    job = client.call(ECHO, {})
    kernel.kill()
    with pytest.raises(JobTimeout) as caught:
        job.wait(timeout=1)
    assert isinstance(caught.value.__cause__, httpx.ConnectError)


def test_a_wait_for_a_hanging_kernel_ends_at_the_deadline(client: Any, kernel: Any) -> None:
    job = client.call(ECHO, {})
    kernel.set_faults(["get=delay:30s"])
    began = time.monotonic()
    with pytest.raises(JobTimeout) as caught:
        job.wait(timeout=1.5)
    assert time.monotonic() - began < 10
    assert isinstance(caught.value.__cause__, httpx.ReadTimeout)


def test_a_run_whose_post_hangs_ends_at_its_deadline(client: Any, kernel: Any) -> None:
    kernel.set_faults(["create=delay:30s"])
    began = time.monotonic()
    with pytest.raises(httpx.ReadTimeout):
        client.run(ECHO, {}, timeout=1.5)
    assert time.monotonic() - began < 10


# --- secrecy -------------------------------------------------------------------------------------


def test_no_log_and_no_error_shows_the_key(
    client: Any, kernel: Any, agent: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    kernel.set_faults(["catalog=500"])
    told = [repr(client)]
    for act in (
        lambda: client.call("no.such.v1", {}),
        lambda: client.with_options(max_retries=0).capabilities(),
    ):
        with pytest.raises(HebingAPIError) as caught:
            act()
        told.append(f"{caught.value!r} {caught.value.__dict__!r}")
    told.append(caplog.text)
    assert "HTTP Request" in caplog.text
    assert agent.api_key not in json.dumps(told)
