"""Sign and verify webhooks.

The platform sends ``X-Kernel-Signature: sha256=<hex HMAC-SHA256 of the raw body>``, made with the
account's webhook secret. The signature contains no time. A receiver that must process each job only
once therefore stores the ids of the processed jobs.
"""

from __future__ import annotations

import hmac
import json
import math
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TypedDict, cast

from ._caller_warnings import warn_caller
from .errors import WebhookVerificationError
from .models import JobData
from .times import parse_iso

__all__ = [
    "SIGNATURE_HEADER",
    "WebhookEvent",
    "sign_webhook",
    "unwrap_webhook",
    "verify_webhook_signature",
]

SIGNATURE_HEADER = "X-Kernel-Signature"
"""The name of the header with the signature."""

Text = str | bytes | bytearray | memoryview


class WebhookEvent(TypedDict):
    """An event from the platform, such as ``job.succeeded`` or ``job.failed``.

    The members are an assumption about the platform. Any JSON object is accepted, so a webhook may
    have other members and lack some of these.
    """

    event: str
    job: JobData
    created_at: str


def sign_webhook(body: Text, secret: str | bytes) -> str:
    """Return the value of the signature header for a body.

    Args:
        body: The raw body. A string is encoded as UTF-8.
        secret: The account's webhook secret.

    Returns:
        ``sha256=`` and the HMAC-SHA256 in hexadecimal.

    Raises:
        ValueError: The secret is empty.
        TypeError: The body or the secret is neither a string nor bytes.
    """
    key = _bytes(secret, "secret")
    if not key:
        raise ValueError("a webhook cannot be signed with an empty secret")
    return f"sha256={_digest(_bytes(body, 'body'), key)}"


def verify_webhook_signature(
    signature: Text | None,
    body: Text,
    current_secret: str | bytes,
    previous_secret: str | bytes | None = None,
    previous_secret_expires_at: datetime | None = None,
    *,
    now: datetime | None = None,
) -> bool:
    """Return whether a webhook was signed with the account's secret.

    Args:
        signature: The ``X-Kernel-Signature`` header. ``sha256=`` may be missing, and the hex digits
            may have either case.
        body: The raw body as it was received, not parsed and serialized again.
        current_secret: The account's webhook secret. With an empty secret, no signature is valid.
        previous_secret: The secret before a rotation.
        previous_secret_expires_at: The last time at which the previous secret is accepted. Without
            it, the previous secret is not accepted. A datetime without a time zone is read as UTC,
            with a warning.
        now: The present time, for tests.

    Returns:
        Whether the signature is valid. It is false for any other bytes.

    Raises:
        TypeError: A secret, the body or the signature is neither a string nor bytes.
    """
    secrets = [_bytes(current_secret, "current_secret")]
    previous = b"" if previous_secret is None else _bytes(previous_secret, "previous_secret")
    raw = _bytes(body, "body")
    if not signature or not secrets[0]:
        return False
    sent = _bytes(signature, "signature").strip().lower().removeprefix(b"sha256=").lstrip()
    expires_at = previous_secret_expires_at
    if previous and expires_at is not None and _present(now) <= _aware(expires_at):
        secrets.append(previous)
    # Bytes, because compare_digest refuses strings that are not ASCII.
    matches = [hmac.compare_digest(sent, _digest(raw, secret).encode()) for secret in secrets]
    return any(matches)


def unwrap_webhook(
    body: Text,
    headers: Mapping[str, str],
    secret: str | bytes,
    previous_secret: str | bytes | None = None,
    previous_secret_expires_at: datetime | None = None,
    *,
    tolerance: float | None = None,
    now: datetime | None = None,
) -> WebhookEvent:
    """Verify a webhook and return its event.

    Args:
        body: The raw body as it was received.
        headers: The headers of the request, with names in any case.
        secret: The account's webhook secret.
        previous_secret: See :func:`verify_webhook_signature`.
        previous_secret_expires_at: See :func:`verify_webhook_signature`.
        tolerance: Maximum seconds between the event's ``created_at`` and now, in either direction.
            It refuses a recorded webhook that is sent again later. None accepts any time.
        now: The present time, for tests.

    Returns:
        The event.

    Raises:
        WebhookVerificationError: The signature is missing or invalid, the body is not a JSON
            object, or its ``created_at`` is missing or outside the tolerance. Respond with 400 and
            do nothing else.
        ValueError: The tolerance is negative or not finite.
        TypeError: A secret or the body is neither a string nor bytes.
    """
    if tolerance is not None and not (0 <= tolerance < math.inf):
        raise ValueError(f"tolerance must be a number of seconds, 0 or more, not {tolerance!r}")
    wanted = SIGNATURE_HEADER.lower()
    signature = next((value for name, value in headers.items() if name.lower() == wanted), None)
    if signature is None:
        raise WebhookVerificationError(f"The request has no {SIGNATURE_HEADER} header")
    if not verify_webhook_signature(
        signature, body, secret, previous_secret, previous_secret_expires_at, now=now
    ):
        raise WebhookVerificationError("The signature does not match the body and the secret")
    try:
        event = json.loads(_bytes(body, "body"))
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise WebhookVerificationError("The body is signed, but is not a JSON object")
    if tolerance is not None:
        _check_age(event.get("created_at"), tolerance, now)
    return cast("WebhookEvent", event)


def _check_age(created_at: object, tolerance: float, now: datetime | None) -> None:
    created = parse_iso(created_at)
    if created is None:
        raise WebhookVerificationError("The body is signed, but has no created_at to check")
    age = (_present(now) - created).total_seconds()
    if abs(age) > tolerance:
        raise WebhookVerificationError(
            f"The webhook is {age:.0f} s old, but the tolerance is {tolerance:g} s"
        )


def _bytes(text: Text, name: str) -> bytes:
    if isinstance(text, str):
        # surrogatepass, because a string with lone surrogates must not crash the receiver.
        return text.encode("utf-8", "surrogatepass")
    if isinstance(text, (bytes, bytearray, memoryview)):
        return bytes(text)
    # Without this check, bytes(32) would give 32 zero bytes.
    raise TypeError(f"{name} must be text or bytes, not {type(text).__name__}")


def _digest(body: bytes, secret: bytes) -> str:
    return hmac.new(secret, body, "sha256").hexdigest()


def _present(now: datetime | None) -> datetime:
    """Return the passed time, or else the present time."""
    return _aware(now or datetime.now(timezone.utc))


def _aware(time: datetime) -> datetime:
    if time.tzinfo is not None:
        return time
    warn_caller("a datetime without a time zone is read as UTC")
    return time.replace(tzinfo=timezone.utc)
