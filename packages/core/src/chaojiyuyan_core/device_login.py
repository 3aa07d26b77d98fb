"""The device login (RFC 8628): a person approves in a browser what this process asked for.

It has two phases, so that every front end can show the code its own way::

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
"""Seconds between two polls where the server names none (RFC 8628, 3.2)."""

MIN_POLL_INTERVAL = 1.0
"""Minimum time between two polls, in seconds, whatever the server says."""

_MAX_SECONDS = 86_400.0  # a server may send a number that no float holds
_GRACE = 5.0  # seconds that a poll at the deadline may take
_PENDING = "authorization_pending"
_SLOW_DOWN = "slow_down"
_ENDED = {
    "access_denied": "The login was denied",
    "expired_token": "The login's code has expired",
}


def start_device_login(client_name: str, *, retry: Retry | None = None) -> Flow[DeviceCode]:
    """Ask for the codes of a login, and the URL where it is approved.

    Args:
        client_name: What the person who approves is told.
        retry: How often a fault is answered by another attempt.

    Raises:
        HebingAPIError: The API refused.
    """
    return request(api.start_device_login(client_name), retry or Retry())


def instructions(code: DeviceCode) -> list[str]:
    """Return the lines that tell a person what to do."""
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

    The API's own statuses are understood (428 pending, 429 slow down, 410 over) as well as the
    error codes of RFC 8628, 3.5. A fault on the wire and a 5xx do not end it.

    Args:
        code: What :func:`start_device_login` returned.
        now: A monotonic clock, in seconds.
        timeout: Seconds until it gives up; the code's ``expires_in`` may end it sooner.
        poll_interval: Seconds between two polls where the code names no ``interval``.

    Returns:
        The agent key, and the account that it belongs to.

    Raises:
        DeviceFlowTimeout: Nobody approved it in time.
        DeviceFlowError: It was denied, or has expired.
        HebingAPIError: The API answered with another error.
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
    """What an error answer says of the login, in the terms of RFC 8628.

    Raises:
        DeviceFlowError: The login is over.
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
    """Return a number of seconds that a server sent, or the default for an invalid one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return default
    return float(value) if 0 <= value <= _MAX_SECONDS else default
