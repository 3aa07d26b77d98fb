"""Fixtures of every folder: a driver of flows, and API answers."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from support.flows import Script


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def answer() -> Any:
    """A function that makes a response: ``answer(404, code="not_found")``."""

    def make(
        status: int,
        *,
        data: object = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
        **body: object,
    ) -> httpx.Response:
        if data is not None:
            body = {"data": data}
        elif code is not None:
            body = {"detail": {"error": "some text", "code": code}}
        return httpx.Response(status, json=body, headers=headers)

    return make
