"""What an HTTP answer means: the result of a call, or the error that it stands for."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING, TypeVar

from . import errors
from .api import UnexpectedShape
from .masking import mask_keys
from .times import parse_http_date

if TYPE_CHECKING:
    import httpx

    from .api import Call

T = TypeVar("T")

_BY_STATUS = {
    400: errors.BadRequestError,
    401: errors.AuthenticationError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    409: errors.ConflictError,
    422: errors.UnprocessableError,
    429: errors.RateLimitError,
}
_MAX_DETAIL = 500
_HEAD = 4096  # bytes in which a page's title is looked for: the search takes the square of it
_OAUTH_CODE = re.compile(r"[a-z]+(_[a-z]+)*")
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


def value_of(call: Call[T], response: httpx.Response) -> T:
    """Read the answer to a call.

    :param call: the call that was sent.
    :param response: its answer, whole.
    :returns: what the call reads from the answer's ``data``, or from the body where it has none.
    :raises HebingAPIError: the status is no success; a subclass by status.
    :raises ResponseFormatError: the status is a success, the body is not what the API promises.
    """
    if not 200 <= response.status_code < 300:
        raise error_of(response)
    try:
        body = json.loads(response.content)
        return call.read(body["data"] if isinstance(body, dict) and "data" in body else body)
    except UnexpectedShape as error:
        reason = str(error)
    except (ValueError, RecursionError):
        reason = f"expected JSON, got {_described(response)}"
    raise _completed(
        errors.ResponseFormatError(
            response.status_code,
            mask_keys(f"{call.method} {call.path}: {reason}"),  # a token's answer, cut short
            response=response,
        )
    )


def error_of(response: httpx.Response) -> errors.HebingAPIError:
    """Return the exception that an error answer stands for, whatever its body holds."""
    status = response.status_code
    code, detail, fields = _error_body(response)
    cls = _BY_STATUS.get(status)
    if cls is None:
        cls = errors.ServerError if status >= 500 else errors.HebingAPIError
    error = cls(status, mask_keys(detail)[:_MAX_DETAIL], code=code, response=response)
    error.fields = fields
    return _completed(error)


def retry_after(response: httpx.Response) -> float | None:
    """Return the seconds of a ``Retry-After`` header, in either form (RFC 9110, 10.2.3)."""
    value = response.headers.get("retry-after")
    if value is None:
        return None
    if re.fullmatch(r"\s*\d{1,9}(\.\d+)?\s*", value, re.ASCII):
        return float(value)
    until = parse_http_date(value)
    if until is None:
        return None
    # The server's own clock decides, where it tells it: ours may be wrong.
    now = parse_http_date(response.headers.get("date")) or datetime.now(timezone.utc)
    return max(0.0, (until - now).total_seconds())


def _completed(error: errors.HebingAPIError) -> errors.HebingAPIError:
    if error.response is not None:
        headers = error.response.headers
        error.request_id = headers.get("x-request-id") or headers.get("request-id")
        error.retry_after = retry_after(error.response)
    return error


def _error_body(response: httpx.Response) -> tuple[str | None, str, dict[str, object]]:
    """Return code, text and the other members of an error body."""
    if 300 <= response.status_code < 400:
        target = response.headers.get("location", "nowhere")
        return None, f"redirected to {target}; is the base URL right?", {}
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        return None, _described(response), {}
    detail = body.get("detail", body) if isinstance(body, dict) else body
    if isinstance(detail, str):
        return None, detail or _described(response), {}
    if isinstance(detail, list):
        findings = "; ".join(_validation_text(item) for item in detail)
        return None, findings or _described(response), {"errors": detail}
    if not isinstance(detail, dict):
        return None, _described(response), {}
    code = _first_text(detail, "code")
    text = _first_text(detail, "error_description", "error", "message")
    if code is None and detail is body:
        error = _first_text(detail, "error") or ""
        code = error if _OAUTH_CODE.fullmatch(error) else None  # RFC 6749, 5.2
    return code, text or code or _described(response), detail


def _first_text(fields: dict[str, object], *names: str) -> str | None:
    return next((v for name in names if isinstance(v := fields.get(name), str) and v), None)


def _validation_text(item: object) -> str:
    """One of FastAPI's own 422 findings, as ``body.limit: Input should be …``."""
    if not isinstance(item, dict):
        return str(item)
    place = item.get("loc")
    where = ".".join(str(part) for part in place) if isinstance(place, list) else ""
    message = str(item.get("msg", item))
    return f"{where}: {message}" if where else message


def _described(response: httpx.Response) -> str:
    """Say what a body is that is not the API's, without printing a page."""
    text = _text(response).strip()
    if text[:1] == "<":
        title = _TITLE.search(text)
        named = f" titled {' '.join(title.group(1).split())!r}" if title else ""
        return f"an HTML page{named}, not the API's answer"
    return text[:_MAX_DETAIL] or response.reason_phrase or "an empty answer"


def _text(response: httpx.Response) -> str:
    """The body's beginning. ``Response.text`` raises for some charsets that a header may name."""
    head = response.content[:_HEAD]
    try:
        return head.decode(response.charset_encoding or "utf-8", "replace")
    except (LookupError, ValueError):
        return head.decode("utf-8", "replace")
