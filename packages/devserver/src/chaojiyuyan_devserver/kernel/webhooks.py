"""Webhooks about jobs that ended: endpoints, signatures and retries."""

import hashlib
import heapq
import hmac
import json
from collections.abc import Iterable

from .errors import Refusal
from .records import Delivery, Job, Webhook
from .rules import World
from .views import timestamp, view_job

BACKOFF = (1.0, 5.0, 30.0, 120.0, 600.0)
"""Seconds from each failed try to the next one."""
DEFAULT_GRACE = 24 * 3600.0
"""Seconds for which receivers accept the old secret after a rotation."""


def sign(secret: str, body: str) -> str:
    """Return the value of ``X-Kernel-Signature``."""
    return "sha256=" + hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()


class Webhooks:
    """The endpoints by account, and the deliveries that are not finished.

    Args:
        world: The parts that the whole kernel shares.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.by_account: dict[str, Webhook] = {}
        self.pending: dict[str, Delivery] = {}
        self._due: list[tuple[float, str]] = []

    def restore(self, webhooks: Iterable[Webhook], pending: Iterable[Delivery]) -> None:
        """Add stored endpoints and deliveries."""
        self.by_account = {webhook.account_id: webhook for webhook in webhooks}
        for delivery in pending:
            self._schedule(delivery)

    def require(self, account_id: str) -> Webhook:
        """Return an account's endpoint.

        Raises:
            Refusal: 404 ``no_webhook``.
        """
        webhook = self.by_account.get(account_id)
        if webhook is None:
            raise Refusal(404, "no_webhook", "The account has no webhook endpoint.")
        return webhook

    def configure(self, account_id: str, url: str, secret: str) -> Webhook:
        """Set the URL for an account's events, and the secret that signs them.

        An empty URL stops the events.
        """
        webhook = self.by_account.setdefault(account_id, Webhook(account_id, url, secret))
        webhook.url = url
        webhook.secret = secret
        self._world.on_change(webhook)
        return webhook

    def rotate(self, webhook: Webhook, secret: str, grace: float = DEFAULT_GRACE) -> None:
        """Sign with a new secret; receivers accept the old one for another ``grace`` seconds."""
        webhook.previous_secret = webhook.secret
        webhook.previous_expires_at = self._world.clock() + grace
        webhook.secret = secret
        self._world.on_change(webhook)

    def announce(self, job: Job, now: float) -> None:
        """Queue the event of a job that ended, if its account has an endpoint."""
        webhook = self.by_account.get(job.account_id)
        if webhook is None or not webhook.url:
            return
        event = f"job.{job.status}"
        body = json.dumps({"event": event, "job": view_job(job), "created_at": timestamp(now)})
        self._queue(job.account_id, job.id, event, webhook.url, body)

    def resend(self, delivery: Delivery) -> Delivery:
        """Queue a delivery's body again, to the account's current endpoint."""
        webhook = self.by_account.get(delivery.account_id)
        url = webhook.url if webhook is not None and webhook.url else delivery.url
        return self._queue(delivery.account_id, delivery.job_id, delivery.event, url, delivery.body)

    def take(self) -> Delivery | None:
        """Return a delivery that is due, or None.

        It is not due again until ``note_try`` has recorded the result.
        """
        now = self._world.clock()
        while self._due and self._due[0][0] <= now:
            at, delivery_id = heapq.heappop(self._due)
            delivery = self.pending.get(delivery_id)
            if delivery is not None and delivery.next_try_at == at:
                delivery.next_try_at = None
                return delivery
        return None

    def next_deadline(self) -> float | None:
        """Return when the next try is due, or None."""
        return self._due[0][0] if self._due else None

    def signature(self, delivery: Delivery) -> str:
        """Return a delivery's signature with the account's current secret."""
        webhook = self.by_account.get(delivery.account_id)
        return sign(webhook.secret, delivery.body) if webhook is not None else ""

    def note_try(self, delivery: Delivery, status: int | None, error: str | None) -> None:
        """Record a try's result. Without a 2xx response, schedule the next try if any is left."""
        now = self._world.clock()
        delivery.tries.append({"at": now, "status": status, "error": error})
        if status is not None and 200 <= status < 300:
            delivery.status = "delivered"
        elif len(delivery.tries) > len(BACKOFF):
            delivery.status = "failed"
        else:
            delivery.next_try_at = now + BACKOFF[len(delivery.tries) - 1]
        if delivery.status == "pending":
            self._schedule(delivery)
        else:
            self.pending.pop(delivery.id, None)
        self._world.on_change(delivery)

    def _queue(self, account_id: str, job_id: str, event: str, url: str, body: str) -> Delivery:
        now = self._world.clock()
        delivery = Delivery(
            self._world.new_id("dlv"), account_id, job_id, event, url, body, now, now
        )
        self._schedule(delivery)
        self._world.on_change(delivery)
        return delivery

    def _schedule(self, delivery: Delivery) -> None:
        self.pending[delivery.id] = delivery
        if delivery.next_try_at is not None:
            heapq.heappush(self._due, (delivery.next_try_at, delivery.id))
