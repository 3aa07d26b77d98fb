"""Turn an exception into one line that says what to do, and into an exit code."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from chaojiyuyan_core.errors import (
    AuthenticationError,
    DeviceFlowError,
    HebingAPIError,
    HebingError,
    JobTimeout,
    ResponseFormatError,
)
from chaojiyuyan_core.redaction import mask_keys

from ._clients.config_file import McpWriterError
from ._errors import HintedError, UserError
from ._exit_codes import EX_API_ERROR, EX_USER_ERROR
from ._output import escape
from ._probe import hint_at_path
from ._tls import find_certificate_error

if TYPE_CHECKING:
    from collections.abc import Iterator


class Steps:
    """Independent steps: a failure is reported, and the next step still runs.

    Attributes:
        failed: Whether a step has failed.
    """

    failed = False

    @contextmanager
    def step(self) -> Iterator[None]:
        """Report an error of a file or another program instead of raising it."""
        try:
            yield
        except BrokenPipeError:  # the reader of the output has closed it
            raise
        except (McpWriterError, UserError, OSError) as error:
            click.echo(explain(error)[0], err=True)
            self.failed = True


def explain(error: Exception, base_url: str | None = None) -> tuple[str, int]:
    """Describe an exception to a user.

    Args:
        error: The exception that a command raised.
        base_url: The base URL in use, when it is known.

    Returns:
        A line, without key material and control characters, and the exit code.
    """
    if isinstance(error, (UserError, McpWriterError)):
        return f"Error: {_clean(str(error), keep=chr(10))}", EX_USER_ERROR
    if isinstance(error, HintedError):
        text, code = explain(error.cause, base_url)
        return f"{text.rstrip('.')}. {_clean(error.hint)}", code
    text, code = _reason(error)
    if base_url is not None and _is_foreign(error):
        text += f".{hint_at_path(base_url)}".rstrip(".")
    return _clean(text), code


def _reason(error: Exception) -> tuple[str, int]:
    if isinstance(error, JobTimeout):
        fault = error.__cause__
        failed = f"; the last request failed: {fault}" if fault is not None else ""
        command = f"`chaojiyuyan status {error.job_id}`"
        return f"Timeout: {error}{failed}; the job continues, see {command}", EX_API_ERROR
    if isinstance(error, DeviceFlowError):
        return f"Login failed: {error}", EX_API_ERROR
    if isinstance(error, AuthenticationError):
        return f"Error: {error}; run `chaojiyuyan connect` for a new key", EX_API_ERROR
    if isinstance(error, HebingAPIError):
        return f"Error: {error}", EX_API_ERROR
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        # The error of ssl does not name the file that it cannot load.
        reason = (None if where else find_certificate_error()) or error.strerror or error
        return f"Error: {where}{reason}", EX_USER_ERROR
    httpx = sys.modules.get("httpx")  # not imported means that no request was sent
    if httpx is not None and isinstance(error, httpx.HTTPError):
        return f"Error: {_fault(error)}", EX_API_ERROR
    if isinstance(error, ValueError):  # a CredentialsError is one
        return f"Error: {error}", EX_USER_ERROR
    if isinstance(error, HebingError):
        return f"Error: {error}", EX_API_ERROR
    kind = type(error).__name__
    return f"Error: {kind}: {error} (`--debug` shows where)", EX_USER_ERROR


def _is_foreign(error: Exception) -> bool:
    """Return whether the reply seems to come from another server than the API."""
    if isinstance(error, ResponseFormatError):
        return True
    return isinstance(error, HebingAPIError) and error.status_code == 404 and error.code is None


def _fault(error: Exception) -> str:
    """Describe a connection error, with the host."""
    try:
        url = error.request.url  # type: ignore[attr-defined]
        host = f"{url.scheme}://{url.netloc.decode()}"
    except RuntimeError:  # the error has no request
        host = "the server"
    reason = str(error) or type(error).__name__
    return f"cannot reach {host}: {reason}; `chaojiyuyan doctor` checks the connection"


def _clean(text: str, *, keep: str = "") -> str:
    return escape(mask_keys(text.strip()), keep=keep)
