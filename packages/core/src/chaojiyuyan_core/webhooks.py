"""Webhooks: signed by the platform, verified by whoever receives them.

The platform sends ``X-Kernel-Signature: sha256=<hex HMAC-SHA256 of the raw body>``, made with the
account's webhook secret. No time is part of the signature, so a receiver that must act once keeps
the ids of the jobs that it has acted on.
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
"""The header that carries the signature."""

Text = str | bytes | bytearray | memoryview


class WebhookEvent(TypedDict):
    """What the platform says has happened: ``job.succeeded``, ``job.failed``, and so on.

    The members are our reading of the platform: any JSON object is accepted, so others may come,
    and one of these may be missing.
    """

    event: str
    job: JobData
    created_at: str


def sign_webhook(body: Text, secret: str | bytes) -> str:
    """Return the signature header's value for a body, as the platform makes it.

    Args:
        body: The raw body; a text is signed as UTF-8.
        secret: The account's webhook secret.

    Raises:
        ValueError: The secret is empty.
        TypeError: The secret is neither text nor bytes.
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
    """Tell whether a webhook was signed with the account's secret.

    Args:
        signature: The ``X-Kernel-Signature`` header; ``sha256=`` may be missing, and the hex digits
            be in either case.
        body: The raw body as it was received, not parsed and serialized again.
        current_secret: The account's webhook secret; an empty one verifies nothing.
        previous_secret: The secret before a rotation.
        previous_secret_expires_at: Until when, itself included, the previous secret is accepted;
            without it, it is not. A datetime without a zone is UTC, with a warning.
        now: The present, for tests.

    Returns:
        False for any other signature, whatever bytes it is made of.

    Raises:
        TypeError: A secret, the body or the signature is neither text nor bytes.
    """
    secrets = [_bytes(current_secret, "current_secret")]
    previous = b"" if previous_secret is None else _bytes(previous_secret, "previous_secret")
    raw = _bytes(body, "body")
    if not signature or not secrets[0]:
        return False
    sent = _bytes(signature, "signature").strip().lower().removeprefix(b"sha256=").lstrip()
    if previous and previous_secret_expires_at is not None:
        present = datetime.now(timezone.utc) if now is None else _aware(now)
        if present <= _aware(previous_secret_expires_at):
            secrets.append(previous)
    # Bytes, since compare_digest refuses a text that is not ASCII.
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
        headers: The request's headers, their names in any case.
        secret: The account's webhook secret.
        previous_secret: See :func:`verify_webhook_signature`.
        previous_secret_expires_at: See :func:`verify_webhook_signature`.
        tolerance: The seconds that the event's ``created_at`` may be away from now, either way; one
            that is older is refused, for example a webhook that somebody recorded and sends again.
            None accepts any time.
        now: The present, for tests.

    Raises:
        WebhookVerificationError: The signature is missing or does not fit, the body is not a JSON
            object, or its ``created_at`` is missing or out of the tolerance. Answer 400 then, and
            do nothing else.
        ValueError: The tolerance is negative or not finite.
        TypeError: A secret or the body is neither text nor bytes.
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
        raise WebhookVerificationError("The signature does not fit the body and the secret")
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
    present = datetime.now(timezone.utc) if now is None else _aware(now)
    age = (present - created).total_seconds()
    if abs(age) > tolerance:
        raise WebhookVerificationError(
            f"The webhook is {age:.0f} s old, and {tolerance:g} s are tolerated"
        )


def _bytes(text: Text, name: str) -> bytes:
    if isinstance(text, str):
        # A text with lone surrogates has no UTF-8, but must not end the receiver either.
        return text.encode("utf-8", "surrogatepass")
    if isinstance(text, (bytes, bytearray, memoryview)):
        return bytes(text)
    # bytes(32) would be 32 zero bytes.
    raise TypeError(f"{name} must be text or bytes, not {type(text).__name__}")


def _digest(body: bytes, secret: bytes) -> str:
    return hmac.new(secret, body, "sha256").hexdigest()


def _aware(time: datetime) -> datetime:
    if time.tzinfo is not None:
        return time
    warn_caller("a datetime without a zone is read as UTC")
    return time.replace(tzinfo=timezone.utc)
