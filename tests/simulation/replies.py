"""Convert responses and faults of the simulated network to the flows' types."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx

from chaojiyuyan_core.http import Reply

if TYPE_CHECKING:
    from .server import Answer


def http_reply(answer: Answer, date: str | None) -> Reply:
    """Return a response as a wire would.

    Args:
        answer: The response of the platform, or of a proxy in front of it.
        date: The ``Date`` header, or None.
    """
    body = answer.body
    is_page = isinstance(body, bytes)
    headers = {name.lower(): value for name, value in answer.headers.items()}
    headers["content-type"] = "text/html" if is_page else "application/json"
    if date is not None:
        headers["date"] = date
    return Reply(answer.status, headers, body if is_page else _encode(answer.status, body))


def fault_reply(kind: str) -> Reply:
    """Return the result of a ``timeout`` or another network fault."""
    if kind == "timeout":
        return Reply(fault=httpx.ReadTimeout("timed out"))
    return Reply(fault=httpx.RemoteProtocolError("server disconnected"))


def _encode(status: int, body: Any) -> bytes:
    return json.dumps({"data": body} if status < 300 else body).encode()
