"""The contract over real HTTP: paths, statuses, codes and envelopes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

    from chaojiyuyan_devserver.testing import LocalKernel

ECHO = {"capability_key": "test.echo.v1", "input_payload": {"a": 1}}


def data(answer: httpx.Response, status: int = 200) -> Any:
    """Return the ``data`` of a response."""
    assert answer.status_code == status, answer.text
    return answer.json()["data"]


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Return the status and the error code of a response."""
    return answer.status_code, answer.json()["detail"]["code"]


def register(client: httpx.Client, *keys: str) -> Any:
    return data(
        client.post("/kernel-agents/me/capabilities", json={"capability_keys": list(keys)}), 201
    )


def test_a_job_from_call_to_history(kernel_client: httpx.Client) -> None:
    client = kernel_client
    assert register(client, "test.echo.v1", "no.such.v1") == {
        "registered": ["test.echo.v1"],
        "skipped_unknown": ["no.such.v1"],
    }
    made = data(client.post("/kernel-jobs", json={**ECHO, "channel_context": {"from": "t"}}), 201)
    assert made["status"] == "bidding"
    assert (made["price_nc"], made["capability_spec_id"]) == (1, "spec_test.echo.v1")
    path = f"/kernel-jobs/{made['id']}"
    [offer] = data(client.get("/kernel-jobs/available"))["jobs"]
    assert offer["job_id"] == made["id"]
    assert offer["input_envelope"] == {"a": 1}
    assert offer["max_budget_nc"] == 1
    won = data(client.post(f"{path}/bid", json={}))
    assert won["accepted"] is True
    assert data(client.post(f"{path}/bid", json={}))["code"] == "already_awarded"
    beat = data(client.post(f"{path}/heartbeat"))
    assert beat["lease_expires_at"] >= won["lease_expires_at"]
    artifact = {"kind": "image", "artifact_uri": "https://x/1.png", "mime_type": "image/png"}
    result = {
        "output_envelope": {"b": "ü"},
        "artifacts": [artifact],
        "publish_as_artifact": True,
        "artifact_license": "CC-BY-4.0",
        "artifact_tags": ["test"],
    }
    assert data(client.post(f"{path}/submit", json=result)) == {
        "settled": True,
        "payout_nc": 1,
        "job_status": "succeeded",
    }
    assert refusal(client.post(f"{path}/submit", json=result)) == (404, "task_run_not_found")
    job = data(client.get(path))
    assert job["output_envelope"] == {"b": "ü"}
    assert job["channel_context"] == {"from": "t"}
    assert [a["task_run_id"] for a in job["attempts"]] == [won["task_run_id"]]
    assert job["artifacts"][0].items() >= artifact.items()
    assert job["completed_at"] >= job["created_at"]
    events = data(client.get(f"{path}/events"))["items"]
    assert [event["event_type"] for event in events] == [
        "job.created",
        "job.bidding",
        "job.awarded",
        "job.succeeded",
    ]
    assert events[-1]["payload"]["published"] == {"license": "CC-BY-4.0", "tags": ["test"]}


def test_a_repeated_idempotency_key_returns_the_first_job(
    kernel: LocalKernel, kernel_client: httpx.Client
) -> None:
    call = {**ECHO, "idempotency_key": "k"}
    first = data(kernel_client.post("/kernel-jobs", json=call), 201)
    assert data(kernel_client.post("/kernel-jobs", json=call), 200)["id"] == first["id"]
    kernel.settle(first["id"], {})
    assert data(kernel_client.post("/kernel-jobs", json=call), 200)["status"] == "succeeded"
    with kernel.client(kernel.new_agent().api_key) as other:
        assert data(other.post("/kernel-jobs", json=call), 201)["id"] != first["id"]
    assert kernel.balance()["held_nc"] == 0


def test_jobs_are_listed_by_page_status_and_capability(
    kernel: LocalKernel, kernel_client: httpx.Client
) -> None:
    ids = [data(kernel_client.post("/kernel-jobs", json=ECHO), 201)["id"] for _ in range(5)]
    kernel.settle(ids[0], {})

    def listed(**query: Any) -> list[str]:
        items = data(kernel_client.get("/kernel-jobs", params=query))["items"]
        return [item["id"] for item in items]

    assert listed() == ids[::-1]
    assert listed(limit=2, offset=1) == ids[3:1:-1]
    assert listed(status="succeeded") == ids[:1]
    assert listed(capability_key="media.echo.v1") == []


def test_another_agents_job_is_answered_like_a_missing_one(
    kernel: LocalKernel, kernel_client: httpx.Client
) -> None:
    job_id = data(kernel_client.post("/kernel-jobs", json=ECHO), 201)["id"]
    with kernel.client(kernel.new_agent().api_key) as other:
        for suffix in ("", "/events"):
            theirs = other.get(f"/kernel-jobs/{job_id}{suffix}")
            none = other.get(f"/kernel-jobs/job_none{suffix}")
            assert theirs.status_code == 404
            assert theirs.content == none.content
        register(other, "test.echo.v1")
        for action in ("heartbeat", "submit"):
            answer = other.post(f"/kernel-jobs/{job_id}/{action}", json={"output_envelope": {}})
            assert refusal(answer) == (404, "task_run_not_found")
        assert refusal(other.post("/kernel-jobs/none/bid", json={})) == (
            404,
            "kernel_job_not_found",
        )


def test_worker_operations_need_a_registration(kernel_client: httpx.Client) -> None:
    answer = kernel_client.get("/kernel-jobs/available")
    assert refusal(answer) == (403, "worker_not_enabled")
    assert "hint" in answer.json()["detail"]
    register(kernel_client, "media.echo.v1")
    job_id = data(kernel_client.post("/kernel-jobs", json=ECHO), 201)["id"]
    answer = kernel_client.post(f"/kernel-jobs/{job_id}/bid", json={})
    assert refusal(answer) == (403, "capability_not_in_handler_set")
    assert answer.json()["detail"]["capability_key"] == "test.echo.v1"
    other = kernel_client.get("/kernel-jobs/available", params={"capability_key": "test.echo.v1"})
    assert data(other) == {"jobs": []}


def test_an_expired_lease_is_answered_with_410(
    kernel: LocalKernel, kernel_client: httpx.Client
) -> None:
    register(kernel_client, "test.echo.v1")
    path = f"/kernel-jobs/{data(kernel_client.post('/kernel-jobs', json=ECHO), 201)['id']}"
    data(kernel_client.post(f"{path}/bid", json={}))
    kernel.skip(29)
    data(kernel_client.post(f"{path}/heartbeat"))
    kernel.skip(30)
    assert refusal(kernel_client.post(f"{path}/heartbeat")) == (410, "lease_expired")
    with kernel.client(kernel.new_agent().api_key) as rival:
        register(rival, "test.echo.v1")
        data(rival.post(f"{path}/bid", json={}))
        answer = kernel_client.post(f"{path}/submit", json={"output_envelope": {}})
        assert refusal(answer) == (404, "task_run_not_found")


def test_an_invalid_output_is_rejected_until_the_attempt_ends(
    kernel: LocalKernel, kernel_client: httpx.Client
) -> None:
    register(kernel_client, "text.digest.v1")
    call = {"capability_key": "text.digest.v1", "input_payload": {"text": "a"}}
    path = f"/kernel-jobs/{data(kernel_client.post('/kernel-jobs', json=call), 201)['id']}"
    data(kernel_client.post(f"{path}/bid", json={}))
    for _ in range(2):
        answer = kernel_client.post(f"{path}/submit", json={"output_envelope": {}})
        assert refusal(answer) == (422, "validation_failed")
        assert "$: 'lines' is a required property" in answer.json()["detail"]["validation_errors"]
    last = data(kernel_client.post(f"{path}/submit", json={"output_envelope": {}}))
    assert (last["settled"], last["code"]) == (False, "validation_failed")
    assert data(kernel_client.get(path))["status"] == "bidding"


def test_the_price_is_held_paid_and_released(
    kernel: LocalKernel, kernel_client: httpx.Client
) -> None:
    poor = kernel.new_agent(balance_nc=6)
    with kernel.client(poor.api_key) as client:
        call = {"capability_key": "media.echo.v1"}
        job_id = data(client.post("/kernel-jobs", json=call), 201)["id"]
        assert refusal(client.post("/kernel-jobs", json=call)) == (402, "insufficient_balance")
        assert kernel.balance(poor.account_id)["held_nc"] == 5
        kernel.fail(job_id, "no_luck", "it broke")
        job = data(client.get(f"/kernel-jobs/{job_id}"))
        assert (job["status"], job["error_code"], job["error_message"]) == (
            "failed",
            "no_luck",
            "it broke",
        )
        assert kernel.balance(poor.account_id)["available_nc"] == 6
        before = kernel.balance()["available_nc"]
        register(kernel_client, "media.echo.v1")
        job_id = data(client.post("/kernel-jobs", json=call), 201)["id"]
        data(kernel_client.post(f"/kernel-jobs/{job_id}/bid", json={}))
        data(kernel_client.post(f"/kernel-jobs/{job_id}/submit", json={"output_envelope": {}}))
        assert kernel.balance(poor.account_id)["available_nc"] == 1
        assert kernel.balance()["available_nc"] == before + 5


@pytest.mark.parametrize(
    ("method", "path", "status", "detail"),
    [
        ("GET", "/nowhere", 404, "Not Found"),
        ("GET", "/kernel-jobs/a/b/c", 404, "Not Found"),
        ("DELETE", "/kernel-jobs/a", 405, "Method Not Allowed"),
        ("GET", "/kernel-jobs/a/bid", 405, "Method Not Allowed"),
    ],
)
def test_unknown_paths_are_answered_with_404(
    kernel_client: httpx.Client, method: str, path: str, status: int, detail: str
) -> None:
    answer = kernel_client.request(method, path)
    assert (answer.status_code, answer.json()) == (status, {"detail": detail})


@pytest.mark.parametrize(
    ("body", "place", "kind"),
    [
        (b"{", ["body"], "json_invalid"),
        (b"[]", ["body"], "model_attributes_type"),
        (b"{}", ["body", "capability_key"], "missing"),
        (b'{"capability_key": ""}', ["body", "capability_key"], "string_too_short"),
        (b'{"capability_key": "a", "input_payload": 7}', ["body", "input_payload"], "dict_type"),
        (b'{"capability_key": "a", "timeout_sec": 0}', ["body", "timeout_sec"], None),
        (b'{"capability_key": "a", "input_payload": {"a": NaN}}', ["body", "input_payload"], None),
        (
            b'{"capability_key": "a", "input_payload": {"a": [1e999]}}',
            ["body", "input_payload"],
            None,
        ),
        (b'{"capability_key": "\xff"}', ["body"], "json_invalid"),
        (b'{"input_payload": {"a": ' + b"[" * 5000, ["body"], "json_invalid"),
    ],
)
def test_an_invalid_body_gets_fastapis_error_list(
    kernel_client: httpx.Client, body: bytes, place: list[str], kind: str | None
) -> None:
    answer = kernel_client.post(
        "/kernel-jobs", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    [error] = answer.json()["detail"]
    assert error["loc"][: len(place)] == place
    assert kind in (error["type"], None)


def test_an_invalid_query_is_refused(kernel_client: httpx.Client) -> None:
    answer = kernel_client.get("/kernel-jobs", params={"limit": "many"})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", "limit"]
    assert kernel_client.get("/kernel-jobs/available", params={"limit": 51}).status_code == 422


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer nxt_ag_wrong", "Basic eDp5"])
def test_no_operation_works_without_a_key(kernel_client: httpx.Client, header: str | None) -> None:
    del kernel_client.headers["Authorization"]
    headers = {} if header is None else {"Authorization": header}
    answer = kernel_client.get("/capability-specs", headers=headers)
    assert refusal(answer) == (401, "invalid_api_key")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_the_date_header_has_the_kernels_time(
    kernel: LocalKernel, kernel_client: httpx.Client
) -> None:
    kernel.skip(86400 * 365)
    answer = kernel_client.post("/kernel-jobs", json=ECHO)
    year = data(answer, 201)["created_at"][:4]
    assert year in answer.headers["date"]


def test_json_that_is_nested_too_deeply_is_refused(
    kernel: LocalKernel, kernel_client: httpx.Client
) -> None:
    job_id = data(kernel_client.post("/kernel-jobs", json=ECHO), 201)["id"]
    deep: dict[str, Any] = {}
    for _ in range(250):
        deep = {"a": deep}
    with pytest.raises(RuntimeError, match="422"):
        kernel.settle(job_id, deep)
    assert data(kernel_client.get(f"/kernel-jobs/{job_id}"))["status"] == "bidding"
