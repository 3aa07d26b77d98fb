from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, strategies as st

from chaojiyuyan_core.errors import WebhookVerificationError
from chaojiyuyan_core.webhooks import (
    SIGNATURE_HEADER,
    sign_webhook,
    unwrap_webhook,
    verify_webhook_signature,
)

BODY = b'{"event": "job.succeeded", "job": {"id": "j1"}}'
NOW = datetime(2026, 11, 22, 12, tzinfo=timezone.utc)
DAY = timedelta(days=1)


def hexdigest(secret: str) -> str:
    return hmac.new(secret.encode(), BODY, hashlib.sha256).hexdigest()


def test_a_signature_equals_the_platforms() -> None:
    assert sign_webhook(BODY, "s") == f"sha256={hexdigest('s')}"
    assert sign_webhook(BODY.decode(), b"s") == sign_webhook(memoryview(BODY), "s")
    with pytest.raises(ValueError, match="empty secret"):
        sign_webhook(BODY, "")


@pytest.mark.parametrize(
    "form",
    [
        lambda digest: f"sha256={digest}",
        lambda digest: digest,
        lambda digest: f"SHA256={digest.upper()}",
        lambda digest: f" sha256={digest}\r\n",
        lambda digest: f"sha256= {digest}",
        lambda digest: f"sha256={digest}".encode(),
    ],
)
def test_every_form_of_the_right_signature_is_valid(form: object) -> None:
    assert callable(form)
    signature = form(hexdigest("s"))
    for body in (BODY, bytearray(BODY), memoryview(BODY), BODY.decode()):
        assert verify_webhook_signature(signature, body, "s")
        assert verify_webhook_signature(signature, body, b"s")
        assert not verify_webhook_signature(signature, body, "t")
    assert not verify_webhook_signature(signature, BODY + b" ", "s")


@pytest.mark.parametrize(
    "signature", [None, "", b"", "sha256=", "sha1=00", "sha256=sha256=", "é", "\ud800", b"\xff"]
)
def test_a_missing_signature_is_invalid(signature: str | None) -> None:
    assert not verify_webhook_signature(signature, BODY, "s")


def test_with_an_empty_secret_no_signature_is_valid() -> None:
    assert not verify_webhook_signature(hexdigest(""), BODY, "")
    assert not verify_webhook_signature(hexdigest(""), BODY, "s", "", NOW + DAY, now=NOW)
    assert not verify_webhook_signature(hexdigest("p"), BODY, "", "p", NOW + DAY, now=NOW)


@pytest.mark.parametrize(
    ("expires_at", "accepted"),
    [(None, False), (NOW - DAY, False), (NOW, True), (NOW + DAY, True)],
)
def test_a_previous_secret_is_accepted_until_it_expires(
    expires_at: datetime | None, accepted: bool
) -> None:
    check = verify_webhook_signature(hexdigest("old"), BODY, "new", "old", expires_at, now=NOW)
    assert check is accepted
    assert verify_webhook_signature(hexdigest("new"), BODY, "new", "old", expires_at, now=NOW)


def test_now_is_the_present_time_by_default() -> None:
    soon = datetime.now(timezone.utc) + DAY
    assert verify_webhook_signature(hexdigest("old"), BODY, "new", "old", soon)
    assert not verify_webhook_signature(hexdigest("old"), BODY, "new", "old", NOW - 999 * DAY)


def test_a_time_without_a_zone_is_utc_with_a_warning() -> None:
    naive = NOW.replace(tzinfo=None)
    for expires_at, accepted in ((naive, True), (naive - DAY, False)):
        with pytest.warns(UserWarning, match="UTC"):
            check = verify_webhook_signature(
                hexdigest("old"), BODY, "n", "old", expires_at, now=NOW
            )
        assert check is accepted


anything = st.binary() | st.text(st.characters())


@given(anything, anything, st.binary() | st.text(), st.none() | st.text())
def test_any_other_signature_is_invalid(
    signature: bytes | str, body: bytes | str, secret: bytes | str, previous: str | None
) -> None:
    assert not verify_webhook_signature(signature, body, secret, previous, NOW, now=NOW)
    headers = {SIGNATURE_HEADER: signature}
    with pytest.raises(WebhookVerificationError):
        unwrap_webhook(body, headers, secret)  # type: ignore[arg-type]


@given(st.binary() | st.text(st.characters()), st.text(min_size=1))
def test_only_the_signed_body_is_valid(body: bytes | str, secret: str) -> None:
    signature = sign_webhook(body, secret)
    assert verify_webhook_signature(signature, body, secret)
    assert verify_webhook_signature(signature, b"other", "new", secret, NOW, now=NOW) is (
        body in (b"other", "other")
    )


@pytest.mark.parametrize("name", ["X-Kernel-Signature", "x-kernel-signature", "X-KERNEL-SIGNATURE"])
def test_an_event_is_unwrapped(name: str) -> None:
    headers = {"Content-Type": "application/json", name: sign_webhook(BODY, "s")}
    assert unwrap_webhook(BODY, headers, "s") == json.loads(BODY)
    assert unwrap_webhook(BODY, headers, "new", "s", NOW, now=NOW)["event"] == "job.succeeded"


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b'"text"', b"{", b"\xff", b"[" * 100_000, b"\xfe\xff{"]
)
def test_a_signed_body_that_is_not_an_object_is_refused(body: bytes) -> None:
    with pytest.raises(WebhookVerificationError, match="JSON object"):
        unwrap_webhook(body, {SIGNATURE_HEADER: sign_webhook(body, "s")}, "s")


def test_a_request_without_a_signature_is_refused() -> None:
    with pytest.raises(WebhookVerificationError, match="no X-Kernel-Signature"):
        unwrap_webhook(BODY, {}, "s")


def test_the_error_does_not_show_the_secret() -> None:
    with pytest.raises(WebhookVerificationError) as caught:
        unwrap_webhook(BODY, {SIGNATURE_HEADER: "sha256=00"}, "whsec_hidden")
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("secret", [32, 0, ["s"], 1.5, object(), True])
def test_a_secret_that_is_not_text_or_bytes_is_a_type_error(secret: Any) -> None:
    signature = sign_webhook(BODY, bytes(32))
    with pytest.raises(TypeError, match="current_secret must be text or bytes"):
        verify_webhook_signature(signature, BODY, secret)
    with pytest.raises(TypeError, match="previous_secret must be text or bytes"):
        verify_webhook_signature(signature, BODY, "s", secret, NOW + DAY, now=NOW)
    with pytest.raises(TypeError, match="secret must be text or bytes"):
        sign_webhook(BODY, secret)
    with pytest.raises(TypeError, match="body must be text or bytes"):
        verify_webhook_signature(signature, secret, "s")


def test_a_missing_secret_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="current_secret"):
        verify_webhook_signature("00", BODY, None)  # type: ignore[arg-type]


def event_of(created_at: object) -> tuple[bytes, dict[str, str]]:
    body = json.dumps({"event": "job.succeeded", "job": {}, "created_at": created_at}).encode()
    return body, {SIGNATURE_HEADER: sign_webhook(body, "s")}


@pytest.mark.parametrize("age", [0, 300, -300])
def test_an_event_within_the_tolerance_is_accepted(age: int) -> None:
    body, headers = event_of((NOW - timedelta(seconds=age)).isoformat())
    assert unwrap_webhook(body, headers, "s", tolerance=300, now=NOW)["event"] == "job.succeeded"


@pytest.mark.parametrize("age", [301, -301, 86_400])
def test_an_event_beyond_the_tolerance_is_refused(age: int) -> None:
    body, headers = event_of((NOW - timedelta(seconds=age)).isoformat())
    with pytest.raises(WebhookVerificationError, match="tolerance is 300 s"):
        unwrap_webhook(body, headers, "s", tolerance=300, now=NOW)
    assert unwrap_webhook(body, headers, "s", now=NOW)


@pytest.mark.parametrize("created_at", [None, "yesterday", 5])
def test_an_event_without_a_time_is_refused(created_at: object) -> None:
    body, headers = event_of(created_at)
    with pytest.raises(WebhookVerificationError, match="no created_at"):
        unwrap_webhook(body, headers, "s", tolerance=300, now=NOW)
    assert unwrap_webhook(body, headers, "s")


@pytest.mark.parametrize("tolerance", [-1, float("nan"), float("inf")])
def test_a_tolerance_is_a_number_of_seconds(tolerance: float) -> None:
    with pytest.raises(ValueError, match="tolerance"):
        unwrap_webhook(b"{}", {}, "s", tolerance=tolerance)
