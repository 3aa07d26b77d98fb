"""The base class of all exceptions, and the exceptions for error responses of the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx
else:
    from .annotations import httpx

MAX_CODE_CHARS = 200
"""Maximum characters of an error code, which messages and logs contain."""


class HebingError(Exception):
    """The base class of all exceptions that the SDK defines."""

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.args, self._state())

    def _state(self) -> dict[str, object]:
        return dict(self.__dict__)


def _rebuild(
    cls: type[HebingError], args: tuple[object, ...], state: dict[str, object]
) -> HebingError:
    error = cls.__new__(cls, *args)
    error.__dict__.update(state)
    return error


class HebingAPIError(HebingError):
    """The API responded with an error status.

    Args:
        status_code: The HTTP status.
        detail: The message of the error.
        code: The API's stable error code, such as ``unknown_capability``, or None.
        response: A copy of the HTTP response and its request, with a masked key. A pickled or
            copied error does not have it.

    More attributes: ``request_id`` (the server's id of the request, or None), ``retry_after``
    (seconds that the server asked to wait, or None) and ``fields`` (the other members of the error
    body, such as ``validation_errors``).
    """

    def __init__(
        self,
        status_code: int,
        detail: str,
        *,
        code: str | None = None,
        response: httpx.Response | None = None,
    ) -> None:
        label = f" ({code})" if code else ""
        super().__init__(f"API error {status_code}{label}: {detail}")
        self.status_code = status_code
        self.detail = detail
        self.code = code
        self.response = response
        self.request_id: str | None = None
        self.retry_after: float | None = None
        self.fields: Mapping[str, object] = {}

    def _state(self) -> dict[str, object]:
        return {**self.__dict__, "response": None}


class BadRequestError(HebingAPIError):
    """400: the request is malformed, or names an unknown capability."""


class AuthenticationError(HebingAPIError):
    """401: the agent key is missing, revoked or wrong."""


class PermissionDeniedError(HebingAPIError):
    """403: the key is valid, but it does not allow this request."""


class NotFoundError(HebingAPIError):
    """404: the object does not exist, or it belongs to another agent."""


class ConflictError(HebingAPIError):
    """409: the request conflicts with the present state."""


class UnprocessableError(HebingAPIError):
    """422: the body of the request is invalid."""


class RateLimitError(HebingAPIError):
    """429: too many requests. ``retry_after`` has the seconds to wait, if the server sent them."""


class ServerError(HebingAPIError):
    """5xx: the platform or a proxy in front of it failed."""


class ResponseFormatError(HebingAPIError):
    """The status is a success, but the body does not have the documented form."""
