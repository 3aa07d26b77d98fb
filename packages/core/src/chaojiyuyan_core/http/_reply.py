"""The result of sending a call: a response and its meaning, or a connection error."""

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
"""The statuses after which a retry may succeed."""

MAX_RETRY_AFTER = 120.0
"""Maximum seconds of a delay that a server requests."""

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
    """The result of sending a call once.

    Attributes:
        status: The HTTP status, or None when there was no response.
        headers: The headers with lower-case names; empty when there was no response.
        body: The decoded body; empty for a fetch, whose content went to its sink.
        fault: The exception that prevented a complete response, or None.

    Args:
        status: The HTTP status.
        headers: The headers: an ``httpx.Headers``, or a mapping with lower-case names.
        body: The decoded body.
        fault: The exception that prevented a complete response.
        request: The request that was sent.
        redactor: Removes the agent key from errors. Without it, texts that look like a key are
            removed.
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
        """Return the status and the fault, without headers and body, which may contain secrets."""
        if self.fault is None:
            return f"<Reply {self.status}, {len(self.body)} bytes>"
        return f"<Reply {self.status}, {type(self.fault).__name__}>"

    @property
    def is_success(self) -> bool:
        """Whether the response is complete and its status is from 200 to 299."""
        return self.fault is None and self.status is not None and 200 <= self.status < 300

    @property
    def is_transient(self) -> bool:
        """Whether a retry of the same call may succeed."""
        if self.fault is None:
            return self.status in RETRIED_STATUSES
        import httpx

        lasting = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)
        return isinstance(self.fault, httpx.TransportError) and not isinstance(self.fault, lasting)

    @property
    def is_api(self) -> bool:
        """Whether the body is JSON like the API's, and not the page of a proxy."""
        return isinstance(self._json, (dict, list))

    @property
    def code(self) -> str | None:
        """The API's stable error code, such as ``lease_expired``, or None."""
        return None if self.is_success or self.status is None else self._error_body.code

    @property
    def retry_after(self) -> float | None:
        """The seconds of the ``Retry-After`` header, at most two minutes, or None."""
        asked = self.requested_delay
        return None if asked is None else min(asked, MAX_RETRY_AFTER)

    @property
    def requested_delay(self) -> float | None:
        """The seconds of the ``Retry-After`` header in either form (RFC 9110, 10.2.3), or None.

        A date is compared with the ``Date`` of the response, because the local clock may be wrong.
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
        """Return the result of the call, read from ``data`` in the body or from the whole body.

        Args:
            call: The call that was sent.

        Raises:
            httpx.HTTPError: There was no complete response.
            HebingAPIError: The status is an error. The subclass depends on the status.
            ResponseFormatError: The status is a success, but the body does not have the documented
                form.
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
        # Outside the handler, so that the JSON error with its text is not the context.
        text = self._redactor.text(f"{call.method} {call.path}: {reason}")
        raise self._complete(errors.ResponseFormatError(self.status or 0, text))

    def redact(self, value: T) -> T:
        """Return a value from the response with the key masked in all strings, for an error.

        Args:
            value: The result of :meth:`value`, or a part of it.
        """
        return self._redactor.value(value)

    def error(self) -> Exception:
        """Return the exception for this reply.

        Returns:
            The fault when there was no complete response, otherwise a :class:`HebingAPIError`
            whose subclass depends on the status.
        """
        if self.fault is not None:
            return self.fault
        return self.api_error()

    def api_error(self) -> errors.HebingAPIError:
        """Return the exception for an error response."""
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
        error.response = redact_response(
            self.status or 0, self.headers, self.body, self._redactor, self._request
        )
        return error

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
    """Return a copy of a request without its body, with the key masked in URL and headers.

    Args:
        request: The request that was sent.
        redactor: Masks the key.
    """
    import httpx

    headers = _redact_headers(request.headers, redactor)
    return httpx.Request(request.method, redactor.text(str(request.url)), headers=headers)


def redact_response(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    redactor: Redactor,
    request: httpx.Request | None,
) -> httpx.Response:
    """Return a response for an error, with a short body and the key masked.

    Args:
        status: The HTTP status.
        headers: The headers.
        body: The decoded body.
        redactor: Masks the key.
        request: The request that was sent.
    """
    import httpx

    return httpx.Response(
        status,
        headers=_redact_headers(httpx.Headers(headers), redactor),
        # Cut before and after, because redacting a long body is slow, and the first cut may divide
        # the key.
        content=redactor.body(body[: 2 * MAX_ERROR_BYTES])[:MAX_ERROR_BYTES],
        request=request and redact_request(request, redactor),
    )


def _redact_headers(headers: httpx.Headers, redactor: Redactor) -> list[tuple[bytes, bytes]]:
    return [
        (name, b"[secure]" if name.lower().endswith(b"authorization") else redactor.body(value))
        for name, value in headers.raw
        if name.lower() not in _DECODED_HEADERS
    ]
