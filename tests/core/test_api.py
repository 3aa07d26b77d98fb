from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, strategies as st

from chaojiyuyan_core import _paths as paths, api

ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
OF_ONE_JOB: list[Any] = [api.get_job, api.job_events, api.bid, api.heartbeat]


@given(ids.filter(lambda text: text not in (".", "..")))
def test_any_id_is_one_path_segment(job_id: str) -> None:
    segment = paths.quote_id(job_id)
    assert unquote(segment) == job_id
    assert segment.isascii()
    assert not set(segment) & set("/?#\\ ")
    assert segment not in ("", ".", "..")


@pytest.mark.parametrize("job_id", ["", ".", "..", None, 5])
@pytest.mark.parametrize("call", [*OF_ONE_JOB, lambda job_id: api.submit(job_id, {})])
def test_an_id_that_is_not_a_segment_is_refused(call: Any, job_id: Any) -> None:
    with pytest.raises(ValueError, match="not an id"):
        call(job_id)


def test_optional_members_are_left_out() -> None:
    assert api.create_job("c", {"a": 1}).body == {"capability_key": "c", "input_payload": {"a": 1}}
    full = api.create_job(
        "c", {}, idempotency_key="k", timeout_sec=5, channel_context={"from": "x"}
    )
    assert full.body == {
        "capability_key": "c",
        "input_payload": {},
        "idempotency_key": "k",
        "timeout_sec": 5,
        "channel_context": {"from": "x"},
    }
    assert api.list_jobs().query is None
    assert api.list_jobs(limit=5, offset=0).query == {"limit": 5, "offset": 0}
    assert api.submit("j", {"a": 1}).body == {"output_envelope": {"a": 1}, "artifacts": []}


def test_license_and_tags_are_sent_only_when_publishing() -> None:
    kept = api.submit("j", {}, artifact_license="MIT", artifact_tags=["a"]).body
    assert kept == {"output_envelope": {}, "artifacts": []}
    published = api.submit(
        "j", {}, publish_as_artifact=True, artifact_license="MIT", artifact_tags=["a"]
    ).body
    assert published == {
        "output_envelope": {},
        "artifacts": [],
        "publish_as_artifact": True,
        "artifact_license": "MIT",
        "artifact_tags": ["a"],
    }


def test_the_device_login_needs_no_key() -> None:
    assert not api.start_device_login("me").authorized
    assert not api.poll_device_login("d").authorized
    assert api.list_capabilities().authorized


@pytest.mark.parametrize("row", [None, 5, [], {}, {"job_id": 5, "capability_key": "c"}])
def test_only_the_malformed_offer_is_refused(row: object) -> None:
    with pytest.raises(api.UnexpectedShape):
        api.offer(row)


@pytest.mark.parametrize("data", [{}, {"accepted": "yes"}, {"accepted": True}, []])
def test_a_bid_result_needs_accepted_and_the_task_run(data: object) -> None:
    with pytest.raises(api.UnexpectedShape):
        api.bid("j").read(data)
    assert api.bid("j").read({"accepted": False, "code": "already_awarded"})["accepted"] is False


ENDPOINTS = [
    api.create_job("c", {}),
    api.get_job("j 1"),
    api.list_jobs(limit=50),
    api.job_events("j"),
    api.list_capabilities(),
    api.start_device_login("me"),
    api.poll_device_login("d"),
    api.register_capabilities(["c"]),
    api.available_jobs(),
    api.bid("j"),
    api.heartbeat("j"),
    api.submit("j", {}),
]


@pytest.mark.parametrize("call", ENDPOINTS, ids=lambda call: f"{call.method} {call.path}")
@pytest.mark.parametrize("base", ["", "/api/v1", "/other"])
def test_every_endpoint_is_recognised(call: Any, base: str) -> None:
    assert paths.is_endpoint(base + call.path)
    assert paths.is_endpoint(base + call.path + "/")


@pytest.mark.parametrize(
    "path",
    [
        *("/api/v1/kernel%2Djobs", "/api/v1/kernel-jobs%2fj1", "/api/v1//kernel-jobs"),
        "/KERNEL-JOBS",
        *("/api/v1/x/../kernel-jobs", "/api/v1/./kernel-jobs/.", "/api/v1/kernel%252Djobs/"),
        *("/api/v1/kernel-jobs;x=1", "\\api\\v1\\kernel-jobs", "/api/v1/x/%2e%2e/kernel-jobs"),
    ],
)
def test_a_variant_of_an_endpoint_is_recognised(path: str) -> None:
    assert paths.is_endpoint(path)


@pytest.mark.parametrize(
    "path",
    ["", "/", "/files/a", "/api/v1/kernel-jobs/j1/artifacts/a", "/artifacts/kernel-jobs.json"],
)
def test_a_file_of_the_platform_is_not_an_endpoint(path: str) -> None:
    assert not paths.is_endpoint(path)
