"""One attempt to send a call: its request, its deadline and its reply."""

from __future__ import annotations

import time
from contextlib import suppress
from copy import copy
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from chaojiyuyan_core.api import Fetch
from chaojiyuyan_core.errors import ResponseFormatError

from ._body import open_body
from ._reply import Reply, redact_request, redact_response
from ._timeouts import Deadline, PhaseTimeouts

if TYPE_CHECKING:
    import httpx
    from typing_extensions import Self

    from chaojiyuyan_core.api import Call
    from chaojiyuyan_core.redaction import Redactor

    from ._body import Body, SinkBody
    from ._requests import RequestBuilder
    from ._shelf import Origin
    from ._timeouts import Timeouts

C = TypeVar("C", bound="httpx.Client | httpx.AsyncClient")


class Attempt(NamedTuple):
    """One request in flight.

    Attributes:
        request: The HTTP request.
        fetch: The fetch that the request belongs to, or None.
        timeouts: The timeouts of the phases in seconds.
        deadline: The end of the attempt.
    """

    request: httpx.Request
    fetch: Fetch | None
    timeouts: Timeouts
    deadline: Deadline

    @property
    def origin(self) -> Origin:
        """The origin of the request's URL."""
        url = self.request.url
        default = {"http": 80, "https": 443}.get(url.scheme, 0)
        return url.raw_scheme, url.raw_host, default if url.port is None else url.port

    def pool_timeout(self) -> float:
        """Return the maximum seconds to wait for a free connection."""
        import httpx

        return self.deadline.left(self.timeouts.pool, httpx.PoolTimeout)

    def check_deadline(self) -> None:
        """Raise ``httpx.ReadTimeout`` when the deadline has passed."""
        import httpx

        self.deadline.left(None, httpx.ReadTimeout)


class TransportBase(Generic[C]):
    """The base of both transports: attempts, replies, and the use of a passed-in client."""

    def __init__(
        self, builder: RequestBuilder, http_client: C | None, max_response_bytes: int
    ) -> None:
        self.builder = builder
        self.http_client = http_client
        self._max_response_bytes = max_response_bytes
        self._shared = False
        if http_client is not None:
            self.builder = builder.with_timeout(http_client.timeout)

    def sharing(self, builder: RequestBuilder) -> Self:
        """Return a transport that uses the same connections. Only this transport closes them.

        Args:
            builder: Builds the requests of the new transport.
        """
        other = copy(self)
        other.builder = builder
        other._shared = True
        return other

    def _start(self, call: Call[object] | Fetch, timeout: float | None) -> Attempt:
        builder, client = self.builder, self.http_client
        timeouts = builder.timeouts
        total = timeouts.total
        if isinstance(call, Fetch):
            fetch: Fetch | None = call
            request = builder.build_fetch(call, client)
        else:
            fetch = None
            if call.wait is not None:  # long-poll: the server waits before it responds
                timeouts = timeouts.extended(call.wait)
                total += call.wait
            request = builder.build(call) if client is None else builder.build_with(client, call)
        deadline = Deadline(time.monotonic() + (total if timeout is None else timeout))
        if client is None:
            request.extensions["timeout"] = timeouts._asdict()
        else:
            request.extensions["timeout"] = PhaseTimeouts(timeouts, deadline)
        return Attempt(request, fetch, timeouts, deadline)

    def _open_body(self, attempt: Attempt, response: httpx.Response) -> Body | SinkBody:
        return open_body(
            response.status_code,
            response.headers,
            max_bytes=self._max_response_bytes,
            fetch=attempt.fetch,
        )

    def _take_read(self, attempt: Attempt, response: httpx.Response) -> bytes:
        """Return the body of a response that a hook of a passed-in client has read."""
        body = open_body(
            response.status_code, {}, max_bytes=self._max_response_bytes, fetch=attempt.fetch
        )
        body.feed(response.content)
        return body.finish()

    def _reply(self, attempt: Attempt, response: httpx.Response, body: bytes) -> Reply:
        if self.http_client is None:
            self._log(attempt, response)
        return Reply(
            response.status_code,
            response.headers,
            body,
            request=attempt.request,
            redactor=self.builder.redactor,
        )

    def _fault(self, attempt: Attempt | None, fault: Exception) -> Reply:
        """Return the reply for a connection error, after removing the key from the error."""
        import httpx

        from ._raw import to_httpx_fault

        fault = to_httpx_fault(fault)
        redactor = self.builder.redactor
        redactor.exception(fault)
        if attempt is not None and isinstance(fault, httpx.HTTPError):
            fault.request = redact_request(attempt.request, redactor)
            if isinstance(fault, httpx.HTTPStatusError):  # from a hook of a passed-in client
                fault.response = _redact_read(fault.response, redactor, attempt.request)
        status = fault.status_code if isinstance(fault, ResponseFormatError) else None
        return Reply(status, fault=fault, redactor=redactor)

    def _log(self, attempt: Attempt, response: httpx.Response) -> None:
        """Log a request like ``httpx.Client``, without the key."""
        import logging

        log = logging.getLogger("httpx")
        if log.isEnabledFor(logging.INFO):
            url = self.builder.redactor.text(str(attempt.request.url))
            status = f"{response.http_version} {response.status_code} {response.reason_phrase}"
            text = self.builder.redactor.text(status)
            log.info('HTTP Request: %s %s "%s"', attempt.request.method, url, text)


def _redact_read(
    response: httpx.Response, redactor: Redactor, request: httpx.Request
) -> httpx.Response:
    """Return a response with the key masked. Its body is empty unless it was read."""
    import httpx

    body = b""
    with suppress(httpx.StreamError):
        body = response.content
    return redact_response(response.status_code, response.headers, body, redactor, request)
