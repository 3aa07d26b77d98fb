"""The device login (RFC 8628): a user approves this program in a browser.

It has two phases, so that each program can show the code in its own way::

    code = run(start_device_login("my-app"), transport)
    ...  # show code["verification_url"] and code["user_code"]
    token = run(wait_for_approval(code, now=time.monotonic), transport)
"""

from __future__ import annotations

import math
from collections.abc import Callable

from . import api
from .errors import DeviceFlowError, DeviceFlowTimeout
from .http import Flow, Reply, Retry, Sleep, request, send
from .models import DeviceCode, DeviceToken

DEFAULT_INTERVAL = 5.0
"""Seconds between two polls when the server sends no interval (RFC 8628, 3.2)."""

MIN_POLL_INTERVAL = 1.0
"""Minimum seconds between two polls, even when the server sends a shorter interval."""

_MAX_SECONDS = 86_400.0  # a server may send a number that is too large for a float
_GRACE = 5.0  # seconds that a poll at the deadline may take
_PENDING = "authorization_pending"
_SLOW_DOWN = "slow_down"
_ENDED = {
    "access_denied": "The login was denied",
    "expired_token": "The login's code has expired",
}


def start_device_login(client_name: str) -> Flow[DeviceCode]:
    """Request the codes of a login and the URL for its approval.

    The request is ``POST /oauth/device/authorize``.

    Args:
        client_name: The name of this program on the page that approves the login.

    Raises:
        HebingAPIError: The API refused the request.
        httpx.HTTPError: The platform could not be reached.
    """
    return request(api.start_device_login(client_name), Retry())


def instructions(code: DeviceCode) -> list[str]:
    """Return the lines that tell the user what to do.

    Args:
        code: The result of :func:`start_device_login`.
    """
    title = "Connect to hebing"
    return [
        title,
        "-" * len(title),
        f"1) Open: {code.get('verification_url_complete') or code['verification_url']}",
        f"2) Enter code: {code['user_code']}",
        "Waiting for approval in your browser...",
    ]


def wait_for_approval(
    code: DeviceCode,
    *,
    now: Callable[[], float],
    timeout: float = 600.0,
    poll_interval: float = DEFAULT_INTERVAL,
) -> Flow[DeviceToken]:
    """Poll until the login is approved.

    The request is ``POST /oauth/device/token``. Both the API's own statuses (428 pending, 429 slow
    down, 410 denied or expired) and the error codes of RFC 8628, 3.5 are supported. Connection
    errors and 5xx statuses are retried.

    Args:
        code: The result of :func:`start_device_login`.
        now: A monotonic clock, in seconds.
        timeout: Maximum seconds to wait. The ``expires_in`` of the code may end the wait sooner.
        poll_interval: Seconds between two polls when the code has no ``interval``.

    Returns:
        The flow that returns the agent key and its account.

    Raises:
        DeviceFlowTimeout: Nobody approved the login in time.
        DeviceFlowError: The login was denied or has expired.
        HebingAPIError: The API responded with another error.
    """
    call = api.poll_device_login(code["device_code"])
    interval = max(_seconds(code.get("interval"), poll_interval), MIN_POLL_INTERVAL)
    deadline = now() + min(timeout, _seconds(code.get("expires_in"), math.inf))
    while True:
        reply = yield from send(call, timeout=max(deadline - now(), _GRACE))
        if reply.is_success:
            return reply.value(call)
        verdict = _verdict(reply)
        if verdict == _SLOW_DOWN:
            interval = max(interval, min(interval + 5, 30))
        elif verdict != _PENDING and not reply.is_transient and (reply.status or 0) < 500:
            raise reply.error()
        pause = max(interval, reply.retry_after or 0.0)
        left = deadline - now()
        if left <= 0:
            raise DeviceFlowTimeout("Nobody approved the login in time") from reply.fault
        yield Sleep(min(pause, left))


def _verdict(reply: Reply) -> str | None:
    """Return the RFC 8628 code of an error response, or None when it has none.

    Raises:
        DeviceFlowError: The login was denied or has expired.
    """
    if reply.status is None:
        return None
    if reply.code in _ENDED:
        raise DeviceFlowError(_ENDED[reply.code]) from reply.error()
    if reply.code in (_PENDING, _SLOW_DOWN):
        return reply.code
    if reply.status == 410:
        error = reply.api_error()
        raise DeviceFlowError(f"The login was denied or has expired: {error.detail}") from error
    return {428: _PENDING, 429: _SLOW_DOWN}.get(reply.status)


def _seconds(value: object, default: float) -> float:
    """Return the server's number of seconds, or the default when it is invalid."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return default
    return float(value) if 0 <= value <= _MAX_SECONDS else default
