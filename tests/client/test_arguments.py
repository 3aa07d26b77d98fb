from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any

import httpx
import pytest

PRODUCTION = "https://pic.chaojiyuyan.com/api/v1"
JOB = {"id": "j1", "status": "queued"}


class Model:
    """An object with the interface of a pydantic model."""

    def model_dump(self, *, mode: str) -> dict[str, object]:
        return {"a": 1, "mode": mode}


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (None, {}),
        ({}, {}),
        ({"a": 1}, {"a": 1}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (Model(), {"a": 1, "mode": "json"}),
        ([("a", 1), ("b", 2)], {"a": 1, "b": 2}),
        ((["a", 1], ["b", 2]), {"a": 1, "b": 2}),
        ({"a": 1}.items(), {"a": 1}),
    ],
)
def test_mappings_models_and_pairs_are_inputs(
    kind: str, make_client: Any, given: Any, sent: object
) -> None:
    seen: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(json.loads(request.content)["input_payload"])
        return httpx.Response(201, json={"data": JOB})

    cls = httpx.Client if kind == "sync" else httpx.AsyncClient
    http_client = cls(transport=httpx.MockTransport(answer))
    make_client("nxt_ag_key", http_client=http_client).call("test.echo.v1", given)
    assert seen == [sent]


@pytest.mark.parametrize(
    "given", ["a=1", b"a", 5, 1.5, True, [1, 2], ["ab", "cd"], [], {1: 2}, Model]
)
def test_another_input_is_refused_before_any_request(mocked: Any, given: Any) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise AssertionError

    for argument in ("input_payload", "channel_context"):
        with pytest.raises(TypeError, match=f"{argument} .*pass a dict"):
            mocked(fail).call("test.echo.v1", **{argument: given})
