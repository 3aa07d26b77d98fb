"""What came of sending a call: an answer and what it means, or a fault on the way to one."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from chaojiyuyan_core import errors
from chaojiyuyan_core.api import UnexpectedShape
from chaojiyuyan_core.redaction import Redactor
from chaojiyuyan_core.times import parse_http_date

from ._error_body import MAX_ERROR_BYTES, ErrorBody, describe_body, read_error_body

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from chaojiyuyan_core.api import Call

T = TypeVar("T")

RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
"""The statuses that may pass when the same call is sent again."""

MAX_RETRY_AFTER = 120.0
"""Seconds. A server that asks for a longer pause is not waited for any longer than this."""

_BY_STATUS = {
    400: errors.BadRequestError,
    401: errors.AuthenticationError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    409: errors.ConflictError,
    422: errors.UnprocessableError,
    429: errors.RateLimitError,
}
_DECODED_HEADERS = (b"content-encoding", b"content-length", b"transfer-encoding")


class Reply:
    """What came of sending a call once.

    Attributes:
        status: The HTTP status; None when no answer came.
        headers: The answer's headers; look them up in lower case. Empty when no answer came.
        body: The answer's body, decoded; empty for a fetch, whose content went into its sink.
        fault: The exception on the way to a whole answer, or None.

    Args:
        status: The HTTP status.
        headers: The answer's headers: an ``httpx.Headers``, or a mapping with lower-case names.
        body: The answer's body, decoded.
        fault: The exception on the way.
        request: The request that was sent.
        redactor: Keeps the agent key out of the errors; without it, whatever looks like one.
    """

    def __init__(
        self,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        fault: Exception | None = None,
        request: httpx.Request | None = None,
        redactor: Redactor | None = None,
    ) -> None:
        self.status = status
        self.headers: Mapping[str, str] = {} if headers is None else headers
        self.body = body
        self.fault = fault
        self._request = request
        self._redactor = redactor or Redactor(None)

    def __repr__(self) -> str:
        """Tell the status and the fault, without headers and body, which may hold secrets."""
        if self.fault is None:
            return f"<Reply {self.status}, {len(self.body)} bytes>"
        return f"<Reply {self.status}, {type(self.fault).__name__}>"

    @property
    def is_success(self) -> bool:
        """Whether a whole answer came, with a status from 200 to 299."""
        return self.fault is None and self.status is not None and 200 <= self.status < 300

    @property
    def is_transient(self) -> bool:
        """Whether the same call may fare better when it is sent again."""
        if self.fault is None:
            return self.status in RETRIED_STATUSES
        import httpx

        lasting = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)
        return isinstance(self.fault, httpx.TransportError) and not isinstance(self.fault, lasting)

    @property
    def is_api(self) -> bool:
        """Whether the body is the API's JSON; a page comes from a proxy on the way."""
        return isinstance(self._json, (dict, list))

    @property
    def code(self) -> str | None:
        """The API's stable machine code of an error, such as ``lease_expired``."""
        return None if self.is_success or self.status is None else self._error_body.code

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait as the server asks (``Retry-After``), never more than two minutes."""
        asked = self.requested_delay
        return None if asked is None else min(asked, MAX_RETRY_AFTER)

    @property
    def requested_delay(self) -> float | None:
        """Seconds of the ``Retry-After`` header, in either form (RFC 9110, 10.2.3), however long.

        A date is compared with the answer's own ``Date``, since the local clock may be wrong.
        """
        value = self.headers.get("retry-after")
        if value is None:
            return None
        if re.fullmatch(r"\s*\d{1,9}(\.\d+)?\s*", value, re.ASCII):
            return float(value)
        until = parse_http_date(value)
        if until is None:
            return None
        now = parse_http_date(self.headers.get("date")) or datetime.now(timezone.utc)
        return max(0.0, (until - now).total_seconds())

    def value(self, call: Call[T]) -> T:
        """Return what a call reads from the answer: from its ``data``, or the body without one.

        Args:
            call: The call that was sent.

        Raises:
            httpx.HTTPError: No whole answer came.
            HebingAPIError: The status is an error; a subclass by status.
            ResponseFormatError: The status is a success, the body is not what the API promises.
        """
        if not self.is_success:
            raise self.error()
        try:
            body = json.loads(self.body)
            return call.read(body["data"] if isinstance(body, dict) and "data" in body else body)
        except UnexpectedShape as error:
            reason = str(error)
        except (ValueError, RecursionError):
            described = describe_body(self.status or 0, self.headers, self.body, self._redactor)
            reason = f"expected JSON, got {described}"
        # Outside of the handler: the text of a JSON error may hold a token's answer.
        text = self._redactor.text(f"{call.method} {call.path}: {reason}")
        raise self._complete(errors.ResponseFormatError(self.status or 0, text))

    def redact(self, value: T) -> T:
        """Return a value that the answer holds with the key masked in its texts, for an error.

        Args:
            value: What :meth:`value` returned, or a part of it.
        """
        return self._redactor.value(value)

    def error(self) -> Exception:
        """Return the exception that this reply stands for, whatever the answer's body holds.

        Returns:
            The fault, where no whole answer came; else a :class:`HebingAPIError` by status.
        """
        if self.fault is not None:
            return self.fault
        return self.api_error()

    def api_error(self) -> errors.HebingAPIError:
        """Return the exception that an error answer stands for."""
        status = self.status or 0
        cls = _BY_STATUS.get(status)
        if cls is None:
            cls = errors.ServerError if status >= 500 else errors.HebingAPIError
        body = self._error_body
        error = cls(status, body.detail, code=body.code)
        error.fields = body.fields
        return self._complete(error)

    def _complete(self, error: errors.HebingAPIError) -> errors.HebingAPIError:
        request_id = self.headers.get("x-request-id") or self.headers.get("request-id")
        error.request_id = None if request_id is None else self._redactor.text(request_id)
        error.retry_after = self.requested_delay
        error.response = self._redacted_response()
        return error

    def _redacted_response(self) -> httpx.Response:
        import httpx

        return httpx.Response(
            self.status or 0,
            headers=_redact_headers(httpx.Headers(self.headers), self._redactor),
            # A longer one would take long to look through; what is cut off may begin with the key.
            content=self._redactor.body(self.body[: 2 * MAX_ERROR_BYTES])[:MAX_ERROR_BYTES],
            request=self._request and redact_request(self._request, self._redactor),
        )

    @cached_property
    def _json(self) -> object:
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @cached_property
    def _error_body(self) -> ErrorBody:
        return read_error_body(self.status or 0, self.headers, self.body, self._redactor)


def redact_request(request: httpx.Request, redactor: Redactor) -> httpx.Request:
    """Return a request without its body, with the key masked in its URL and its headers.

    Args:
        request: The request that was sent.
        redactor: Knows the key.
    """
    import httpx

    headers = _redact_headers(request.headers, redactor)
    return httpx.Request(request.method, redactor.text(str(request.url)), headers=headers)


def _redact_headers(headers: httpx.Headers, redactor: Redactor) -> list[tuple[bytes, bytes]]:
    return [
        (name, b"[secure]" if name.lower().endswith(b"authorization") else redactor.body(value))
        for name, value in headers.raw
        if name.lower() not in _DECODED_HEADERS
    ]
