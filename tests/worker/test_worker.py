"""The public API of the worker: signatures, single steps and requests."""

from __future__ import annotations

import inspect
import json

import httpx
import pytest

from chaojiyuyan_core import errors
from chaojiyuyan_worker import NexusWorker, TaskContext, Worker

KEY = "nxt_ag_test_secret"


class Platform:
    """A fake platform with a response for each last path segment, which records requests."""

    def __init__(self, **answers: httpx.Response) -> None:
        self.answers = answers
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answers[request.url.path.rsplit("/", 1)[-1]]

    @property
    def client(self) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(self))


def ok(**data) -> httpx.Response:
    return httpx.Response(200, json={"data": data})


def refused(status: int, code: str, **fields) -> httpx.Response:
    return httpx.Response(status, json={"detail": {"error": "no", "code": code, **fields}})


def steps(**answers) -> tuple[Worker, Platform]:
    platform = Platform(**answers)
    return Worker(KEY, "http://localhost/api/v1", http_client=platform.client), platform


def test_nexus_worker_is_the_worker() -> None:
    assert NexusWorker is Worker


def test_the_signatures_of_0_4_0_are_unchanged() -> None:
    run = inspect.signature(Worker.run).parameters
    assert [(p.name, p.default) for p in run.values()][1:] == [
        ("poll_interval", 1.0),
        ("max_retries", 2),
        ("heartbeat_interval", 10.0),
        ("auto_register", True),
        ("once", False),
    ]
    assert run["max_retries"].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert run["heartbeat_interval"].kind is inspect.Parameter.KEYWORD_ONLY
    made = inspect.signature(Worker).parameters
    assert list(made)[:2] == ["api_key", "base_url"]
    assert made["publish_artifacts"].kind is inspect.Parameter.KEYWORD_ONLY
    task = inspect.signature(TaskContext).parameters
    assert list(task) == ["task_data", "task_run_id", "lease_expires_at"]
    assert task["task_run_id"].kind is inspect.Parameter.KEYWORD_ONLY


@pytest.mark.parametrize("key", [None, "", "  ", "nxt_ag\nx"])
def test_a_key_is_needed(key) -> None:
    with pytest.raises(ValueError, match="api_key"):
        Worker(key)


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, True])
def test_concurrency_is_a_whole_number_above_0(concurrency) -> None:
    with pytest.raises(ValueError, match="concurrency"):
        Worker(KEY, concurrency=concurrency)
    with pytest.raises(ValueError, match="concurrency"):
        Worker(KEY).handler("a", concurrency=concurrency)(print)


def test_no_repr_contains_the_key() -> None:
    worker = Worker(KEY)
    assert KEY not in repr(worker)
    assert (worker.api_key, worker.base_url) == (KEY, Worker.DEFAULT_BASE_URL)


def test_a_worker_is_made_from_the_environment(monkeypatch) -> None:
    monkeypatch.setenv("CHAOJIYUYAN_API_KEY", KEY)
    monkeypatch.setenv("HEBING_BASE_URL", "http://localhost:1/api/v1/")
    worker = Worker.from_env(concurrency=3)
    assert (worker.api_key, worker.base_url) == (KEY, "http://localhost:1/api/v1")
    assert worker.concurrency == 3


def test_the_decorator_returns_the_same_function() -> None:
    worker = Worker(KEY)

    def work(task):
        return {}

    assert worker.handler("a")(work) is work
    assert worker.handlers["a"].function is work


def test_without_a_handler_run_raises() -> None:
    with pytest.raises(RuntimeError, match="No handlers registered"):
        Worker(KEY).run()


@pytest.mark.parametrize("interval", [0, -1])
def test_a_heartbeat_interval_must_be_above_0(interval) -> None:
    worker = Worker(KEY)
    worker.handler("a")(lambda task: {})
    with pytest.raises(ValueError, match="heartbeat_interval"):
        worker.run(heartbeat_interval=interval)


def test_requests_name_their_source() -> None:
    worker, platform = steps(available=ok(jobs=[]))
    worker.available(limit=3, capability_key="a")
    request = platform.requests[0]
    assert request.url == "http://localhost/api/v1/kernel-jobs/available?limit=3&capability_key=a"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["x-sdk-source"] == "worker"
    assert request.headers["user-agent"].startswith("chaojiyuyan-sdk/")
    assert request.headers["user-agent"].endswith("; worker)")


def test_a_passed_in_client_needs_neither_key_nor_url() -> None:
    platform = Platform(
        capabilities=ok(registered=["a"], skipped_unknown=[]),
        available=ok(jobs=[{"job_id": "job-1", "capability_key": "a", "input_envelope": {"n": 1}}]),
        bid=ok(accepted=True, task_run_id="run-1", lease_expires_at="2030-01-01T00:00:00Z"),
        submit=ok(settled=True, payout_nc=1, job_status="succeeded"),
    )
    client = platform.client
    tags = ["x"]
    worker = Worker(
        http_client=client, publish_artifacts=True, artifact_license="MIT", artifact_tags=tags
    )
    worker.handler("a")(lambda task: {"n": task.input["n"] + 1})
    worker.run(once=True)
    worker.run(once=True)
    worker.close()
    assert not client.is_closed
    sent = [request for request in platform.requests if request.url.path.endswith("submit")]
    assert len(sent) == 2
    assert str(sent[0].url).startswith(Worker.DEFAULT_BASE_URL)
    assert json.loads(sent[0].content) == {
        "output_envelope": {"n": 2},
        "artifacts": [],
        "publish_as_artifact": True,
        "artifact_license": "MIT",
        "artifact_tags": ["x"],
    }


def test_run_sse_warns_and_runs() -> None:
    platform = Platform(capabilities=ok(registered=[], skipped_unknown=[]), available=ok(jobs=[]))
    worker = Worker(http_client=platform.client)
    worker.handler("a")(lambda task: {})
    with pytest.warns(UserWarning, match="run_sse"):
        worker.run_sse(once=True)
    assert len(platform.requests) == 2


def test_registering_nothing_sends_nothing() -> None:
    worker, platform = steps()
    assert worker.register_handlers() == {"registered": [], "skipped_unknown": []}
    assert platform.requests == []


def test_registration_adds_up_its_batches() -> None:
    worker, platform = steps(capabilities=ok(registered=["a"], skipped_unknown=["b"]))
    total = worker.register_handlers(*[f"key-{n}" for n in range(51)])
    assert total == {"registered": ["a", "a"], "skipped_unknown": ["b", "b"]}
    assert len(platform.requests) == 2


@pytest.mark.parametrize(
    ("answer", "error", "fields"),
    [
        (
            ok(accepted=False, code="already_awarded", awarded_to_agent_id="agt-2"),
            errors.BidRejected,
            {"job_id": "job-1", "code": "already_awarded", "awarded_to_agent_id": "agt-2"},
        ),
        (refused(410, "bid_window_expired"), errors.BidRejected, {"code": "bid_window_expired"}),
        (
            refused(403, "capability_not_in_handler_set", capability_key="a"),
            errors.CapabilityNotRegistered,
            {"capability_key": "a"},
        ),
        (refused(403, "worker_not_enabled", hint="register"), errors.WorkerNotEnabled, {}),
        (refused(404, "kernel_job_not_found"), errors.NotFoundError, {}),
    ],
)
def test_a_refused_bid_is_raised(answer, error, fields) -> None:
    worker, _ = steps(bid=answer)
    with pytest.raises(error) as caught:
        worker.bid("job-1")
    assert {name: getattr(caught.value, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refused(404, "task_run_not_found"), errors.TaskRunNotFound),
        (refused(410, "lease_expired"), errors.LeaseExpired),
        (refused(401, "invalid_key"), errors.AuthenticationError),
    ],
)
def test_a_lost_run_is_raised(answer, error) -> None:
    worker, _ = steps(heartbeat=answer, submit=answer)
    with pytest.raises(error):
        worker.heartbeat("job-1")
    with pytest.raises(error):
        worker.submit("job-1", {})


@pytest.mark.parametrize(
    "answer",
    [
        refused(422, "validation_failed", validation_errors=["n: low"]),
        ok(settled=False, code="validation_failed", validation_errors=["n: low"]),
    ],
)
def test_a_refused_output_is_raised(answer) -> None:
    worker, _ = steps(submit=answer)
    with pytest.raises(errors.SubmitValidationFailed) as caught:
        worker.submit("job-1", {}, artifacts=[{"kind": "json", "artifact_uri": "s3://a"}])
    assert caught.value.validation_errors == ["n: low"]


def test_single_steps_complete_a_job(site) -> None:
    with site.worker() as worker:
        worker.register_handlers("test.echo.v1")
        job_id = site.post({"n": 1})
        assert [offer["job_id"] for offer in worker.available()] == [job_id]
        assert worker.bid(job_id)["task_run_id"]
        assert worker.heartbeat(job_id)["lease_expires_at"]
        assert worker.submit(job_id, {"n": 1})["settled"] is True
        with pytest.raises(errors.TaskRunNotFound):
            worker.submit(job_id, {"n": 1})


@pytest.mark.parametrize("auto_register", [True, False])
def test_a_rejected_key_ends_the_run(site, auto_register) -> None:
    worker = Worker("nxt_ag_nobody_nobody", site.kernel.base_url)
    worker.handler("test.echo.v1")(lambda task: {})
    with pytest.raises(errors.AuthenticationError):
        worker.run(auto_register=auto_register)


def test_without_auto_register_a_disabled_worker_is_an_error(site) -> None:
    worker = site.worker()
    worker.handler("test.echo.v1")(lambda task: {})
    with pytest.raises(errors.WorkerNotEnabled):
        worker.run(auto_register=False)
