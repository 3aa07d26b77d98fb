"""The root of the exceptions, and those that an answer of the API stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx
else:
    from .annotations import httpx


class HebingError(Exception):
    """The root of all exceptions that the SDK raises of itself."""

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
    """The API answered with an error status.

    Args:
        status_code: The HTTP status.
        detail: The human text of the error.
        code: The API's stable machine code, such as ``unknown_capability``, where it sent one.
        response: A copy of the HTTP response in which the key is masked, as in its request; it is
            left behind when the error is pickled or copied.

    Further attributes: ``request_id`` (the server's id of this request, or None), ``retry_after``
    (seconds the server asked to wait, or None) and ``fields`` (the other members of the error body,
    such as ``validation_errors``).
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
    """403: the key is valid, but not for this."""


class NotFoundError(HebingAPIError):
    """404: there is no such thing, or it belongs to another agent."""


class ConflictError(HebingAPIError):
    """409: the request contradicts the present state."""


class UnprocessableError(HebingAPIError):
    """422: the body was understood and refused."""


class RateLimitError(HebingAPIError):
    """429: too many requests; ``retry_after`` says how long to wait, where the server does."""


class ServerError(HebingAPIError):
    """5xx: the platform, or a proxy before it, has a fault."""


class ResponseFormatError(HebingAPIError):
    """The status was a success, but the body is not what the API promises."""
