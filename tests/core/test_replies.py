from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest
from hypothesis import given, strategies as st

from chaojiyuyan_core import api, errors
from chaojiyuyan_core.http import Reply

JOB = {"id": "j1", "status": "queued"}


def reply(answer: httpx.Response) -> Reply:
    return Reply(answer.status_code, answer.headers, answer.content)


def error_of(answer: httpx.Response) -> errors.HebingAPIError:
    return reply(answer).api_error()


def value_of(call: api.Call[Any], answer: httpx.Response) -> Any:
    return reply(answer).value(call)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadRequestError),
        (401, errors.AuthenticationError),
        (403, errors.PermissionDeniedError),
        (404, errors.NotFoundError),
        (409, errors.ConflictError),
        (410, errors.HebingAPIError),
        (418, errors.HebingAPIError),
        (422, errors.UnprocessableError),
        (429, errors.RateLimitError),
        (500, errors.ServerError),
        (503, errors.ServerError),
        (599, errors.ServerError),
    ],
)
def test_each_status_has_its_error_class(status: int, kind: type) -> None:
    assert type(error_of(httpx.Response(status, json={"detail": "x"}))) is kind


@pytest.mark.parametrize(
    ("body", "code", "detail"),
    [
        (
            {"detail": {"error": "no such", "code": "unknown_capability"}},
            "unknown_capability",
            "no such",
        ),
        ({"detail": {"message": "no such", "code": "c"}}, "c", "no such"),
        ({"detail": {"code": "only_code"}}, "only_code", "only_code"),
        ({"detail": "plain"}, None, "plain"),
        ({"error": "Not found"}, None, "Not found"),
        ({"error": "Not found", "code": "c"}, "c", "Not found"),
        ({"error": "invalid_grant", "error_description": "no"}, "invalid_grant", "no"),
        ({"error": "access_denied"}, "access_denied", "access_denied"),
        ({"detail": []}, None, '{"detail":[]}'),
        (
            {"detail": [{"loc": ["body", "limit"], "msg": "too big", "type": "x"}, "odd"]},
            None,
            "body.limit: too big; odd",
        ),
        ({"detail": None}, None, '{"detail":null}'),
        ({}, None, "{}"),
        ([], None, "[]"),
        ("text", None, "text"),
        (5, None, "5"),
    ],
)
def test_any_error_body_gives_a_code_and_a_readable_detail(
    body: Any, code: str | None, detail: str
) -> None:
    # Written with json.dumps, because httpx 0.27 adds spaces to JSON.
    content = json.dumps(body, separators=(",", ":"))
    error = error_of(httpx.Response(400, content=content))
    assert (error.code, error.detail) == (code, detail)


def test_the_other_members_of_an_error_are_available() -> None:
    body = {"detail": {"error": "x", "code": "worker_not_enabled", "hint": "register first"}}
    assert error_of(httpx.Response(403, json=body)).fields["hint"] == "register first"


def test_an_html_page_is_described_by_its_title() -> None:
    page = "<!doctype html><html><head><title> 502\n Bad Gateway</title></head><body>…</body>"
    error = error_of(httpx.Response(502, html=page))
    assert error.detail == "an HTML page titled '502 Bad Gateway', not the API's response"


def test_a_page_of_only_titles_is_described_quickly() -> None:
    began = time.process_time()
    assert error_of(httpx.Response(502, content=b"<title>" * 20_000)).detail
    assert (
        time.process_time() - began < 2
    )  # searching the whole page takes more than ten times as long


@pytest.mark.parametrize(
    ("charset", "title"),
    [("gbk", "网关"), *((name, "����") for name in ("hex", "idna", "rot13", "undefined", "none"))],
)
def test_a_page_is_decoded_with_the_charset_of_its_header(charset: str, title: str) -> None:
    page = "<title>网关</title>".encode("gbk")
    answer = httpx.Response(
        502, headers={"content-type": f"text/html; charset={charset}"}, content=page
    )
    assert error_of(answer).detail == f"an HTML page titled '{title}', not the API's response"


def test_a_page_with_a_wrong_charset_is_described() -> None:
    headers = {"content-type": "text/html; charset=utf-16"}
    assert error_of(httpx.Response(502, headers=headers, content=b"<title>x</title>")).detail


def test_an_empty_response_is_described_by_its_reason() -> None:
    assert error_of(httpx.Response(504)).detail == "Gateway Timeout"


def test_a_redirect_names_its_target() -> None:
    error = error_of(httpx.Response(302, headers={"location": "https://login.example/"}))
    assert "https://login.example/" in error.detail


def test_a_key_in_a_response_is_masked() -> None:
    error = error_of(httpx.Response(401, json={"detail": "no key nxt_ag_verysecretkey here"}))
    assert "verysecret" not in str(error)


def test_a_key_in_a_cut_response_is_masked() -> None:
    answer = httpx.Response(200, content=b'{"data": {"api_key": "nxt_ag_verysecretkey"')
    with pytest.raises(errors.ResponseFormatError) as caught:
        value_of(api.poll_device_login("d"), answer)
    assert "verysecret" not in str(caught.value) + caught.value.detail


def test_the_response_of_an_error_is_at_most_a_mebibyte() -> None:
    body = json.dumps({"detail": "nxt_ag_verysecretkey"}) + " " * (3 << 20)
    error = error_of(httpx.Response(400, content=body.encode(), headers={"X-Test": "1"}))
    assert error.response is not None
    assert len(error.response.content) == 1 << 20
    assert error.response.headers["x-test"] == "1"
    assert "verysecret" not in error.response.text


def test_a_long_detail_is_cut() -> None:
    assert len(error_of(httpx.Response(400, json={"detail": "x" * 9999})).detail) == 500


@pytest.mark.parametrize("body", [{"detail": {"code": "x" * 9999}}, {"error": "x" * 9999}])
def test_a_long_code_is_cut(body: object) -> None:
    error = error_of(httpx.Response(400, json=body))
    assert error.code == "x" * 200
    assert len(str(error)) < 1000


@pytest.mark.parametrize("name", ["X-Request-Id", "Request-Id"])
def test_the_request_id_is_read(name: str) -> None:
    assert error_of(httpx.Response(500, headers={name: "req-1"})).request_id == "req-1"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "٣"}, None),
        (
            {
                "retry-after": "Sun, 22 Nov 2026 12:00:30 GMT",
                "date": "Sun, 22 Nov 2026 12:00:00 GMT",
            },
            30,
        ),
        (
            {
                "retry-after": "Sun, 22 Nov 2026 11:00:00 GMT",
                "date": "Sun, 22 Nov 2026 12:00:00 GMT",
            },
            0,
        ),
    ],
)
def test_retry_after_may_be_seconds_or_a_date(headers: Any, seconds: float | None) -> None:
    headers = {name: value.encode() for name, value in headers.items()}
    answer = httpx.Response(429, headers=headers)
    assert reply(answer).requested_delay == seconds
    assert error_of(answer).retry_after == seconds


def test_data_is_unwrapped_when_present() -> None:
    for body in ({"data": JOB}, JOB):
        assert value_of(api.get_job("j1"), httpx.Response(200, json=body)) == JOB


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, html="<html><title>Welcome</title></html>"),
        httpx.Response(200),
        httpx.Response(200, content=b"\xff\xfe\x00"),
        httpx.Response(200, content=b"[" * 100_000),
        httpx.Response(200, json={"data": []}),
        httpx.Response(200, json={"data": {"id": "j1"}}),
        httpx.Response(200, json={"data": {"id": 5, "status": "queued"}}),
        httpx.Response(200, json={"data": None}),
        httpx.Response(204),
    ],
)
def test_a_success_of_another_form_is_a_format_error(answer: httpx.Response) -> None:
    with pytest.raises(errors.ResponseFormatError) as caught:
        value_of(api.get_job("j1"), answer)
    assert caught.value.status_code == answer.status_code
    assert "GET /kernel-jobs/j1" in str(caught.value)


CALLS = [
    api.create_job("c", {}),
    api.get_job("j"),
    api.list_jobs(),
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
names = st.sampled_from(
    ["data", "detail", "error", "code", "message", "items", "jobs", "id", "status", "loc", "msg"]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(names | st.text(), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(
    st.sampled_from(CALLS),
    st.integers(100, 599),
    json_values | st.binary(),
    st.dictionaries(st.sampled_from(["retry-after", "date", "x-request-id"]), st.text("0a:, -")),
)
def test_any_response_is_a_result_or_an_api_error(
    call: api.Call[object], status: int, body: Any, headers: dict[str, str]
) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = httpx.Response(status, content=content, headers=headers)
    try:
        value_of(call, answer)
    except errors.HebingAPIError as error:
        assert str(error)  # noqa: PT017  (only these two are allowed)


@pytest.mark.parametrize(
    ("call", "rows"), [(api.list_jobs(), [JOB]), (api.job_events("j"), [{"id": "e"}])]
)
def test_a_list_is_bare_or_in_items(call: api.Call[Any], rows: Any) -> None:
    for data in (rows, {"items": rows}):
        assert value_of(call, httpx.Response(200, json={"data": data})) == rows
    assert value_of(call, httpx.Response(200, json=rows)) == rows
