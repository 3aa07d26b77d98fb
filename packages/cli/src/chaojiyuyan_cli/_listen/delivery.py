"""Deliver events to the receiver: sign them, retry with backoff, and finally give up."""

from __future__ import annotations

import heapq
import itertools
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from chaojiyuyan_cli._version import __version__
from chaojiyuyan_core.webhooks import SIGNATURE_HEADER, sign_webhook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chaojiyuyan_client import Job

DELAYS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds before each retry. After the last retry, the delivery of the event is given up."""

_TIMEOUT = 10.0  # seconds for each of connect, write and read


@dataclass
class Delivery:
    """An event, and the result of its delivery.

    Attributes:
        job_id: The id of the job that has ended.
        event: The name of the event, such as ``job.succeeded``.
        body: The exact bytes of the request body.
        attempts: The number of times that the event was posted.
        delivered: Whether the receiver has accepted the event.
        outcome: The status of the last response, or the reason why there was no response.
    """

    job_id: str
    event: str
    body: bytes
    attempts: int = 0
    delivered: bool = False
    outcome: str = ""


def make_delivery(job: Job, created_at: str) -> Delivery:
    """Return the event of an ended job, in the platform's format.

    Args:
        job: The job, with its output.
        created_at: The time of the event, in ISO 8601 format.
    """
    event = f"job.{job.status}"
    payload = {"event": event, "job": job, "created_at": created_at}
    return Delivery(job.id, event, json.dumps(payload).encode())


class Receiver:
    """The address that events are posted to.

    Args:
        url: The address.
        secret: The secret that signs each event.
    """

    def __init__(self, url: str, secret: str) -> None:
        self._url = url
        self._secret = secret
        # The receiver is on this machine, so the proxy settings of the environment are ignored.
        self._client = httpx.Client(timeout=_TIMEOUT, trust_env=False, follow_redirects=False)

    def post(self, delivery: Delivery) -> None:
        """Post an event once, and store the result in it.

        Args:
            delivery: The event.
        """
        delivery.attempts += 1
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"chaojiyuyan-cli/{__version__}",
            SIGNATURE_HEADER: sign_webhook(delivery.body, self._secret),
            "X-Kernel-Delivery": f"listen_{delivery.job_id}",
        }
        try:
            # Only the status matters, so a body of any size stays unread.
            with self._client.stream(
                "POST", self._url, content=delivery.body, headers=headers
            ) as answer:
                delivery.delivered = answer.is_success
                delivery.outcome = str(answer.status_code)
        except httpx.HTTPError as error:
            delivery.outcome = str(error) or type(error).__name__

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


@dataclass
class Outbox:
    """A queue of the events that wait for their next attempt.

    Args:
        now: A monotonic clock, in seconds.
    """

    now: Callable[[], float] = time.monotonic
    _queue: list[tuple[float, int, Delivery]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def add(self, delivery: Delivery) -> None:
        """Add a new event, which is due at once.

        Args:
            delivery: The event.
        """
        self._put(delivery, 0.0)

    def retry(self, delivery: Delivery) -> bool:
        """Queue an event again after a failed attempt.

        Args:
            delivery: The event.

        Returns:
            Whether there is another attempt. When not, the event must be given up.
        """
        if delivery.attempts > len(DELAYS):
            return False
        self._put(delivery, DELAYS[delivery.attempts - 1])
        return True

    def pop_due(self) -> Delivery | None:
        """Remove and return an event that is due, or None when no event is due."""
        if self._queue and self._queue[0][0] <= self.now():
            return heapq.heappop(self._queue)[2]
        return None

    def seconds_left(self, limit: float) -> float:
        """Return the seconds until the next attempt is due.

        Args:
            limit: Maximum seconds to return.
        """
        if not self._queue:
            return limit
        return min(max(self._queue[0][0] - self.now(), 0.0), limit)

    def drain(self) -> list[Delivery]:
        """Remove and return every event that was not delivered yet."""
        left = [entry[2] for entry in self._queue]
        self._queue.clear()
        return left

    def _put(self, delivery: Delivery, delay: float) -> None:
        entry: Any = (self.now() + delay, next(self._numbers), delivery)
        heapq.heappush(self._queue, entry)
