"""Webhooks: signed by the platform, verified by whoever receives them.

The platform sends ``X-Kernel-Signature: sha256=<hex HMAC-SHA256 of the raw body>``, made with the
account's webhook secret. No time is part of the signature, so a receiver that must act once keeps
the ids of the jobs that it has acted on.
"""

from __future__ import annotations

import hmac
import json
import warnings
from datetime import datetime, timezone
from typing import TYPE_CHECKING, TypedDict, cast

from .errors import WebhookVerificationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .models import JobData

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


class WebhookEvent(TypedDict, total=False):
    """What the platform says has happened: ``job.succeeded``, ``job.failed``, and so on.

    The members are our reading of the platform; others may come, and any of these may be missing.
    """

    event: str
    job: JobData
    created_at: str


def sign_webhook(body: Text, secret: str | bytes) -> str:
    """Return the signature header's value for a body, as the platform makes it.

    :param body: the raw body; a text is signed as UTF-8.
    :param secret: the account's webhook secret.
    :raises ValueError: the secret is empty.
    """
    if not secret:
        raise ValueError("a webhook cannot be signed with an empty secret")
    return f"sha256={_digest(_bytes(body), _bytes(secret))}"


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

    :param signature: the ``X-Kernel-Signature`` header; ``sha256=`` may be missing, hex be in
        either case.
    :param body: the raw body as it was received, not parsed and written anew.
    :param current_secret: the account's webhook secret; an empty one verifies nothing.
    :param previous_secret: the secret before a rotation.
    :param previous_secret_expires_at: until when, itself included, the previous secret is
        accepted; without it, it is not. A datetime without a zone is UTC, with a warning.
    :param now: the present, for tests.
    :returns: False for any other signature, whatever bytes it is made of.
    """
    if not signature or not current_secret:
        return False
    sent = _bytes(signature).strip().lower().removeprefix(b"sha256=")
    raw = _bytes(body)
    secrets = [current_secret]
    if previous_secret and previous_secret_expires_at is not None:
        present = datetime.now(timezone.utc) if now is None else _aware(now)
        if present <= _aware(previous_secret_expires_at):
            secrets.append(previous_secret)
    # Bytes, since compare_digest refuses a text that is not ASCII.
    matches = [
        hmac.compare_digest(sent, _digest(raw, _bytes(secret)).encode()) for secret in secrets
    ]
    return any(matches)


def unwrap_webhook(
    body: Text,
    headers: Mapping[str, str],
    secret: str | bytes,
    previous_secret: str | bytes | None = None,
    previous_secret_expires_at: datetime | None = None,
    *,
    now: datetime | None = None,
) -> WebhookEvent:
    """Verify a webhook and return its event.

    :param body: the raw body as it was received.
    :param headers: the request's headers, their names in any case.
    :param secret: the account's webhook secret.
    :param previous_secret: see :func:`verify_webhook_signature`, as for the rest.
    :raises WebhookVerificationError: the signature is missing or does not fit, or the body is not a
        JSON object. Answer 400 then, and do nothing else.
    """
    wanted = SIGNATURE_HEADER.lower()
    signature = next((value for name, value in headers.items() if name.lower() == wanted), None)
    if signature is None:
        raise WebhookVerificationError(f"The request has no {SIGNATURE_HEADER} header")
    if not verify_webhook_signature(
        signature, body, secret, previous_secret, previous_secret_expires_at, now=now
    ):
        raise WebhookVerificationError("The signature does not fit the body and the secret")
    try:
        event = json.loads(_bytes(body))
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise WebhookVerificationError("The body is signed, but is not a JSON object")
    return cast("WebhookEvent", event)


def _bytes(text: Text) -> bytes:
    # A text with lone surrogates has no UTF-8, but must not end the receiver either.
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else bytes(text)


def _digest(body: bytes, secret: bytes) -> str:
    return hmac.new(secret, body, "sha256").hexdigest()


def _aware(time: datetime) -> datetime:
    if time.tzinfo is not None:
        return time
    warnings.warn("a datetime without a zone is read as UTC", stacklevel=3)
    return time.replace(tzinfo=timezone.utc)
