"""Replies of the platform and of proxies."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

from chaojiyuyan_core.http import Reply

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
"""The server's time."""


def date_of(time: datetime = NOW) -> dict[str, str]:
    """The header with a time."""
    return {"date": format_datetime(time, usegmt=True)}


def after(seconds: float) -> str:
    """The server's time ``seconds`` later, in the format of its bodies."""
    return (NOW + timedelta(seconds=seconds)).isoformat()


def answer(status: int = 200, *, headers: dict[str, str] | None = None, **body: Any) -> Reply:
    """A JSON answer with a date."""
    return Reply(status, {**date_of(), **(headers or {})}, json.dumps(body).encode())


def data(**fields: Any) -> Reply:
    """A success."""
    return answer(data=fields)


def refusal(status: int, code: str | None, *, headers: Any = None, **fields: Any) -> Reply:
    """An error of the API; without a code, an error of FastAPI itself."""
    detail: Any = "no" if code is None else {"error": "no", "code": code, **fields}
    return answer(status, headers=headers, detail=detail)


def page(status: int, text: str = "<h1>default backend - 404</h1>") -> Reply:
    """An error page of a proxy."""
    return Reply(status, {**date_of(), "content-type": "text/html"}, text.encode())


def fault(error: Exception) -> Reply:
    """No answer."""
    return Reply(fault=error)
