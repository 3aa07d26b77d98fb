"""Read the body of an error response, which has one of several forms."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from chaojiyuyan_core._api_errors import MAX_CODE_CHARS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chaojiyuyan_core.redaction import Redactor

MAX_DETAIL_CHARS = 500
"""Maximum characters of the message of an error. The rest is cut off."""

MAX_ERROR_BYTES = 1 << 20
"""Maximum size in bytes of an error body that is parsed. A longer body is only described."""

_HEAD = 4096  # characters searched for a page's title, because the search takes quadratic time
_OAUTH_CODE = re.compile(r"[a-z]+(_[a-z]+)*")
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_CHARSET = re.compile(r"charset=[\"']?([\w.:+-]{1,40})", re.IGNORECASE | re.ASCII)


class ErrorBody(NamedTuple):
    """The content of an error body, with a masked agent key.

    Attributes:
        code: The API's stable error code, cut to 200 characters, or None.
        detail: The message, cut to :data:`MAX_DETAIL_CHARS`.
        fields: The other members of the error.
    """

    code: str | None
    detail: str
    fields: dict[str, object]


def read_error_body(
    status: int, headers: Mapping[str, str], body: bytes, redactor: Redactor
) -> ErrorBody:
    """Read an error body of the API, FastAPI, OAuth (RFC 6749, 5.2) or a proxy.

    Args:
        status: The HTTP status.
        headers: The headers of the response.
        body: The body of the response.
        redactor: Removes the agent key from the result.
    """
    if 300 <= status < 400:
        target = redactor.text(headers.get("location", "nowhere"))
        text = f"redirected to {target}; is the base URL right?"
        return ErrorBody(None, text[:MAX_DETAIL_CHARS], {})
    code, text, fields = _parse(body)
    if not text:
        text = code or describe_body(status, headers, body, redactor)
    return ErrorBody(
        None if code is None else redactor.text(code)[:MAX_CODE_CHARS],
        redactor.text(text)[:MAX_DETAIL_CHARS],
        redactor.value(fields),
    )


def describe_body(status: int, headers: Mapping[str, str], body: bytes, redactor: Redactor) -> str:
    """Return a short description of a body that is not the API's JSON.

    Args:
        status: The HTTP status.
        headers: The headers of the response.
        body: The body of the response.
        redactor: Removes the agent key from the text.
    """
    # Redact before cutting, because half a key would not be recognised.
    text = redactor.text(_decode(headers, body[: 2 * _HEAD]))[:_HEAD].strip()
    if text[:1] == "<":
        title = _TITLE.search(text)
        named = f" titled {' '.join(title.group(1).split())!r}" if title else ""
        return f"an HTML page{named}, not the API's response"
    return text[:MAX_DETAIL_CHARS] or _phrase(status) or "an empty response"


def _parse(body: bytes) -> tuple[str | None, str, dict[str, object]]:
    """Return the code, the message and the other members. The message may be empty."""
    try:
        parsed: object = json.loads(body) if len(body) <= MAX_ERROR_BYTES else None
    except (ValueError, RecursionError):
        return None, "", {}
    detail = parsed.get("detail", parsed) if isinstance(parsed, dict) else parsed
    if isinstance(detail, str):
        return None, detail, {}
    if isinstance(detail, list):
        findings = "; ".join(_describe_finding(item) for item in detail)
        return None, findings, {"errors": detail} if findings else {}
    if not isinstance(detail, dict):
        return None, "", {}
    code = _first_text(detail, "code")
    text = _first_text(detail, "error_description", "error", "message")
    if code is None and detail is parsed:
        error = _first_text(detail, "error") or ""
        code = error if _OAUTH_CODE.fullmatch(error) else None
    return code, text or "", detail


def _first_text(fields: dict[str, object], *names: str) -> str | None:
    return next((v for name in names if isinstance(v := fields.get(name), str) and v), None)


def _describe_finding(item: object) -> str:
    """Return a FastAPI validation error as text, such as ``body.limit: Input should be …``."""
    if not isinstance(item, dict):
        return str(item)
    place = item.get("loc")
    where = ".".join(str(part) for part in place) if isinstance(place, list) else ""
    message = str(item.get("msg", item))
    return f"{where}: {message}" if where else message


def _decode(headers: Mapping[str, str], head: bytes) -> str:
    """Decode the start of a body with the charset of its header, or with UTF-8."""
    charset = _CHARSET.search(headers.get("content-type", ""))
    try:
        return head.decode(charset[1] if charset else "utf-8", "replace")
    except (LookupError, ValueError):
        return head.decode("utf-8", "replace")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
