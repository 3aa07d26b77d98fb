from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import given, settings, strategies as st
from mcp import types

from chaojiyuyan_core import errors
from chaojiyuyan_core.http import Reply
from chaojiyuyan_core.settings import Settings
from chaojiyuyan_mcp._results import Answer, Results, ToolError, bad_arguments

KEY = "a-key-without-the-usual-prefix"
BASE_URL = "http://127.0.0.1:9/api/v1"
RESULTS = Results(Settings(KEY, BASE_URL, "test", "test"))


def told(error: Exception) -> dict[str, Any]:
    """Return the error that a client gets."""
    result = RESULTS.failure(error)
    assert result.is_error
    assert result.structured_content is None
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    members: dict[str, Any] = json.loads(content.text)
    return members


def api_error(status: int, body: object = None, **headers: str) -> errors.HebingAPIError:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, headers, content).api_error()


def test_the_codes_of_the_api_pass_through() -> None:
    error = api_error(400, {"detail": {"error": "no such thing", "code": "unknown_capability"}})
    assert told(error) == {
        "error": "no such thing",
        "code": "unknown_capability",
        "status": 400,
        "hint": "Call kernel_list_capabilities for the existing keys.",
    }


@pytest.mark.parametrize(
    ("status", "code", "told_code"),
    [
        (401, "invalid_api_key", "auth_failed"),
        (401, None, "auth_failed"),
        (403, None, "auth_failed"),
        (403, "worker_not_enabled", "worker_not_enabled"),
        (404, None, "sdk_error"),
        (503, None, "sdk_error"),
        (400, "of_a_later_day", "of_a_later_day"),
    ],
)
def test_a_status_without_an_api_code_gets_a_code(
    status: int, code: str | None, told_code: str
) -> None:
    members = told(api_error(status, {"detail": {"error": "no", "code": code}}))
    assert (members["code"], members["status"]) == (told_code, status)
    assert members["hint"]


def test_other_sdk_errors_have_a_hint() -> None:
    assert told(errors.ResponseFormatError(200, "expected a job"))["hint"]
    assert told(errors.HebingError("broken"))["hint"]


def test_a_long_error_is_cut() -> None:
    findings = [f"finding {number}" for number in range(10_000)]
    for error in (
        bad_arguments("x" * 1_000_000),
        api_error(400, {"detail": {"error": "no", "code": "c" * 1_000_000}}),
        ToolError("validation_failed", "no", job_id="j", validation_errors=findings),
    ):
        members = told(error)
        assert len(json.dumps(members)) < 5_000
        assert members["hint"]
    assert members["validation_errors"][:2] == findings[:2]
    assert members["job_id"] == "j"
    assert KEY[:8] not in told(bad_arguments(KEY * 1000))["error"]


def test_an_html_page_is_not_shown() -> None:
    page = b"<html><title>502 Bad Gateway</title><body>" + b"<p>nginx</p>" * 1000
    members = told(api_error(502, page))
    assert "<p>" not in members["error"]
    assert "Bad Gateway" in members["error"]
    assert members["status"] == 502


def test_the_hint_names_the_retry_after_seconds() -> None:
    members = told(api_error(429, {"detail": "slow down"}, **{"retry-after": "17"}))
    assert "17 s" in members["hint"]


def test_the_error_has_the_validation_errors_of_an_output() -> None:
    detail = {"error": "no", "code": "validation_failed", "validation_errors": ["text: missing"]}
    assert told(api_error(422, {"detail": detail}))["validation_errors"] == ["text: missing"]


@pytest.mark.parametrize("fault", [httpx.ConnectError("refused"), httpx.ReadTimeout("")])
def test_an_unreachable_platform_is_named(fault: Exception) -> None:
    members = told(fault)
    assert members["code"] == "connection_failed"
    assert BASE_URL in members["error"]
    assert "HEBING_BASE_URL" in members["hint"]


def test_other_errors_are_results_without_details() -> None:
    members = told(KeyError("inner workings"))
    assert members["code"] == "sdk_error"
    assert "inner workings" not in json.dumps(members)
    assert told(errors.HebingError("odd"))["error"] == "odd"
    assert told(bad_arguments("limit"))["code"] == "bad_arguments"


@pytest.mark.parametrize("key", [KEY, "nxt_ag_0123456789abcdef"])
def test_no_error_shows_a_key(key: str) -> None:
    for error in (
        api_error(400, {"detail": {"error": f"you sent {key}!", "code": "x"}}),
        api_error(422, {"detail": {"code": "x", "validation_errors": [key]}}),
        httpx.ConnectError(f"Authorization: Bearer {key}"),
        ToolError("x", key, hint=key, more=key),
    ):
        assert key not in json.dumps(told(error))


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.text(st.characters(exclude_categories=())), json_values))
def test_every_result_can_be_sent(value: dict[str, Any]) -> None:
    result = RESULTS.success(Answer(value))
    wire = json.loads(result.model_dump_json(by_alias=True))
    strict = json.loads(wire["content"][0]["text"], parse_constant=pytest.fail)
    assert strict == wire["structuredContent"]


@pytest.mark.parametrize("lead", [0, 480])
def test_a_short_text_shows_no_part_of_a_key(lead: int) -> None:
    text = RESULTS.clean_text("x" * lead + KEY + "y" * 2000)
    assert "without" not in text
    assert len(text) == 500


def test_a_result_too_long_for_a_model_is_cut() -> None:
    members = {"task_run_id": "run_1", "result": {"text": "x" * 1_000_000, "more": [KEY] * 50_000}}
    result = RESULTS.success(Answer(members))
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    shown = json.loads(content.text)
    assert shown == result.structured_content
    assert len(content.text) < 160_000
    assert KEY not in content.text
    assert shown["task_run_id"] == "run_1"
    assert "too long" in shown["truncated"]


def test_a_result_too_deep_for_the_protocol_is_an_error() -> None:
    value: dict[str, Any] = {}
    for _ in range(400):
        value = {"in": value}
    result = RESULTS.success(Answer(value))
    assert result.is_error
    assert "nested" in str(result.content)
