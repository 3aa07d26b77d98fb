from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest

from chaojiyuyan_client import AsyncJob, AsyncNexusClient, Job, NexusClient
from chaojiyuyan_core.errors import JobFailed

DATA = {"id": "j1", "status": "running", "capability_key": "test.echo.v1", "price_nc": 1}


@pytest.fixture(params=[Job, AsyncJob])
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_a_job_equals_the_plain_dict(kind: Any) -> None:
    job = kind(DATA)
    assert job == DATA
    assert job == DATA
    assert isinstance(job, dict)
    assert json.loads(json.dumps(job)) == DATA
    assert {**job} == DATA
    assert job["id"] == job.id == "j1"


def test_the_representation_of_a_job_is_one_short_line(kind: Any) -> None:
    key, output = "a\n\x1b" + "x" * 500, {"a": "b" * 999}
    job = kind({**DATA, "capability_key": key, "output_envelope": output})
    text = repr(job)
    assert text.startswith(f"<{kind.__name__} id='j1' status='running' capability_key='a\\n\\x1bx")
    assert len(text) < 200
    assert text.isprintable()


def test_members_of_a_job_are_attributes(kind: Any) -> None:
    noon = "2026-11-22T12:00:00Z"
    job = kind({**DATA, "status": "failed", "created_at": noon, "error_code": "x"})
    assert (job.price_nc, job.created_at, job.error_code) == (1, noon, "x")
    assert (job.completed_at, job.error_message) == (None, None)


@pytest.mark.parametrize(
    ("status", "done", "succeeded"),
    [
        ("queued", False, False),
        ("bidding", False, False),
        ("running", False, False),
        ("something new", False, False),
        ("succeeded", True, True),
        ("failed", True, False),
        ("cancelled", True, False),
        ("expired", True, False),
    ],
)
def test_the_status_shows_whether_the_job_has_ended(
    kind: Any, status: str, done: bool, succeeded: bool
) -> None:
    job = kind({**DATA, "status": status})
    assert (job.status, job.done, job.succeeded) == (status, done, succeeded)


def test_artifacts_are_always_a_list(kind: Any) -> None:
    assert kind(DATA).artifacts == kind({**DATA, "artifacts": None}).artifacts == []
    assert kind({**DATA, "artifacts": [{"id": "a"}]}).artifacts == [{"id": "a"}]


COPIES = [
    copy.copy,
    copy.deepcopy,
    *(
        lambda job, protocol=protocol: pickle.loads(pickle.dumps(job, protocol))
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ),
]


@pytest.mark.parametrize("copied", COPIES)
def test_a_copy_is_detached_and_says_to_use_the_client(copied: Any) -> None:
    with NexusClient("nxt_ag_secret") as client:
        job = copied(Job(DATA, client))
        assert type(job) is Job
        assert job == DATA
        with pytest.raises(RuntimeError, match=r"client\.wait\('j1'\)"):
            job.wait()
        with pytest.raises(RuntimeError, match="no client"):
            job.events()
        assert b"secret" not in pickle.dumps(Job(DATA, client))


async def waited(job: AsyncJob) -> None:
    await job.wait()


def test_an_async_copy_is_also_detached() -> None:
    job = copy.copy(AsyncJob(DATA, AsyncNexusClient("nxt_ag_secret")))
    with pytest.raises(RuntimeError, match="no client"):
        waited(job).send(None)


def test_the_result_of_a_complete_job_needs_no_request() -> None:
    assert Job({**DATA, "status": "succeeded", "output_envelope": {"a": 1}}).result() == {"a": 1}


def test_a_failed_job_has_its_reason() -> None:
    job = Job({**DATA, "status": "failed", "error_code": "bad", "error_message": "no good"})
    error = JobFailed(job)
    assert (error.job_id, error.status) == ("j1", "failed")
    assert (error.error_code, error.error_message) == ("bad", "no good")
    assert error.job is job
    assert str(error) == "Job j1 failed (bad: no good)"
    assert pickle.loads(pickle.dumps(error)).job == job


def test_a_key_echoed_in_an_error_is_removed() -> None:
    client = NexusClient("nxt_ag_echoed_secret")
    echo = {"headers": ["Bearer%20nxt%5Fag%5Fechoed%5Fsecret"], "nxt_ag_echoed_secret": 1}
    job = Job({**DATA, "status": "failed", "error_message": "nxt_ag_echoed_secret", "x": echo})
    error = JobFailed(job)
    assert isinstance(error.job, Job)
    assert error.job.status == "failed"
    shown = (
        f"{error} {error.job_id} {error.error_message} {dict(error.job)} {pickle.dumps(error)!r}"
    )
    assert "echoed" not in shown
    assert job["x"] is echo
    client.close()
