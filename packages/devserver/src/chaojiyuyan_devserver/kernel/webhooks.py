"""Who is told about jobs that ended: endpoints, signatures, and when to try again."""

from __future__ import annotations

import hashlib
import heapq
import hmac
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .records import Json
    from .wire import JobView

BACKOFF = (1.0, 5.0, 30.0, 120.0, 600.0)
GRACE = 24 * 3600.0


@dataclass(slots=True)
class Webhook:
    """Where an account's events go, and the secrets that sign them."""

    account_id: str
    url: str
    secret: str
    previous_secret: str | None = None
    previous_expires_at: float | None = None


@dataclass(slots=True)
class Delivery:
    """One event on its way to an endpoint. ``tries`` holds when, the HTTP status, and the error."""

    id: str
    account_id: str
    job_id: str
    event: str
    url: str
    body: bytes
    created_at: float
    next_try_at: float | None
    status: str = "pending"
    tries: list[Json] = field(default_factory=list)


def sign(secret: str, body: bytes) -> str:
    """The value of ``X-Kernel-Signature``."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Webhooks:
    """The endpoints by account, and the deliveries that are not done."""

    def __init__(
        self, new_id: Callable[[str], str], on_change: Callable[[Webhook | Delivery], None]
    ) -> None:
        self._new_id = new_id
        self._on_change = on_change
        self.by_account: dict[str, Webhook] = {}
        self.pending: dict[str, Delivery] = {}
        self._due: list[tuple[float, str]] = []

    def restore(self, webhooks: Iterable[Webhook], pending: Iterable[Delivery]) -> None:
        """Take over what is stored."""
        self.by_account = {webhook.account_id: webhook for webhook in webhooks}
        for delivery in pending:
            self._wait(delivery)

    def configure(self, account_id: str, url: str, secret: str) -> Webhook:
        """Send an account's events to this URL, signed so; an empty URL stops them."""
        webhook = self.by_account.setdefault(account_id, Webhook(account_id, url, secret))
        webhook.url = url
        webhook.secret = secret
        self._on_change(webhook)
        return webhook

    def rotate(self, webhook: Webhook, secret: str, now: float, grace: float = GRACE) -> None:
        """Sign with a new secret; receivers accept the old one for ``grace`` seconds more."""
        webhook.previous_secret = webhook.secret
        webhook.previous_expires_at = now + grace
        webhook.secret = secret
        self._on_change(webhook)

    def announce(self, account_id: str, event: str, job: JobView, now: float, created: str) -> None:
        """Queue an event, where the account has an endpoint."""
        webhook = self.by_account.get(account_id)
        if webhook is None or not webhook.url:
            return
        body = json.dumps({"event": event, "job": job, "created_at": created}).encode()
        self._queue(
            Delivery(self._new_id("dlv"), account_id, job["id"], event, webhook.url, body, now, now)
        )

    def resend(self, delivery: Delivery, now: float) -> Delivery:
        """Queue a delivery's body once more, to the endpoint as it is now."""
        webhook = self.by_account.get(delivery.account_id)
        url = webhook.url if webhook is not None and webhook.url else delivery.url
        again = Delivery(
            self._new_id("dlv"),
            delivery.account_id,
            delivery.job_id,
            delivery.event,
            url,
            delivery.body,
            now,
            now,
        )
        self._queue(again)
        return again

    def take(self, now: float) -> Delivery | None:
        """A delivery that is due, or None; it is not due again until ``tried`` says how it went."""
        while self._due and self._due[0][0] <= now:
            at, delivery_id = heapq.heappop(self._due)
            delivery = self.pending.get(delivery_id)
            if delivery is not None and delivery.next_try_at == at:
                delivery.next_try_at = None
                return delivery
        return None

    def next_deadline(self) -> float | None:
        """When the next try is due, at the earliest."""
        return self._due[0][0] if self._due else None

    def signature(self, delivery: Delivery) -> str:
        """The signature of a delivery with the account's secret of today."""
        return sign(self.by_account[delivery.account_id].secret, delivery.body)

    def tried(self, delivery: Delivery, now: float, status: int | None, error: str | None) -> None:
        """Note how a try went; without a 2xx answer the next one is planned, if there is one."""
        delivery.tries.append({"at": now, "status": status, "error": error})
        if status is not None and 200 <= status < 300:
            delivery.status = "delivered"
        elif len(delivery.tries) > len(BACKOFF):
            delivery.status = "failed"
        else:
            delivery.next_try_at = now + BACKOFF[len(delivery.tries) - 1]
        if delivery.status == "pending":
            self._queue(delivery)
        else:
            self.pending.pop(delivery.id, None)
            self._on_change(delivery)

    def _queue(self, delivery: Delivery) -> None:
        self._wait(delivery)
        self._on_change(delivery)

    def _wait(self, delivery: Delivery) -> None:
        self.pending[delivery.id] = delivery
        if delivery.next_try_at is not None:
            heapq.heappush(self._due, (delivery.next_try_at, delivery.id))
