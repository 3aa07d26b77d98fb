"""The response to a poll is read row by row."""

from __future__ import annotations

import json

import httpx
import pytest

from chaojiyuyan_core.errors import ResponseFormatError, ServerError
from chaojiyuyan_core.http import Reply
from chaojiyuyan_core.offers import MAX_JOB_ID_CHARS, BadOffer, read_offers
from support.replies import data, fault, page, refusal

ENDLESS_STRING = b'{"jobs": ["' + b'\\"' * 100_000
"""A search that began at each of these quotes would take minutes."""


def row(job_id: str = "job-1", **fields) -> dict:
    return {"job_id": job_id, "capability_key": "a", "input_envelope": {}, **fields}


def ids(reply: Reply) -> list[str | None]:
    return [None if isinstance(r, BadOffer) else r["job_id"] for r in read_offers(reply)]


def test_offers_are_read() -> None:
    assert ids(data(jobs=[row("1"), row("2")])) == ["1", "2"]
    assert ids(Reply(200, body=json.dumps([row("1")]).encode())) == ["1"]


@pytest.mark.parametrize(
    "bad",
    [
        "row",
        {"job_id": 7, "capability_key": "a"},
        {"job_id": "x"},
        row(".."),
        row(""),
        row("x" * (MAX_JOB_ID_CHARS + 1)),
    ],
)
def test_an_invalid_row_does_not_hide_others(bad) -> None:
    found = read_offers(data(jobs=[row("1"), bad, row("2")]))
    assert isinstance(found[1], BadOffer)
    assert found[1].problem
    assert len(found[1].problem) < 200
    assert ids(data(jobs=[row("1"), bad, row("2")])) == ["1", None, "2"]


def test_a_job_id_of_the_maximum_length_is_accepted() -> None:
    assert ids(data(jobs=[row("x" * MAX_JOB_ID_CHARS)])) == ["x" * MAX_JOB_ID_CHARS]


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_row_nested_too_deeply_does_not_hide_others(wrapped) -> None:
    depth = 100_000
    deep = '{"job_id":"deep","capability_key":"a","x":' + "[" * depth + "]" * depth + "}"
    tricky = json.dumps(row("2", text='quoted " and ] and \\ {'))
    rows = f"[{json.dumps(row('1'))}, {deep}, {tricky}]"
    body = f'{{"data": {{"note": "x", "jobs": {rows}, "more": [1]}}}}' if wrapped else rows
    assert ids(Reply(200, body=body.encode())) == ["1", None, "2"]


@pytest.mark.parametrize(
    "body", [b"{", b"[{}", b'{"data": {"jobs": "none"}}', b"<html>", b"7", ENDLESS_STRING]
)
def test_a_body_without_a_list_of_jobs_is_an_error(body) -> None:
    with pytest.raises(ResponseFormatError):
        read_offers(Reply(200, body=body))


def test_an_error_is_raised() -> None:
    with pytest.raises(ServerError):
        read_offers(refusal(503, "busy"))
    with pytest.raises(ServerError):
        read_offers(page(502))
    with pytest.raises(httpx.ReadTimeout):
        read_offers(fault(httpx.ReadTimeout("slow")))
