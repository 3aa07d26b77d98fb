"""Events on their way to the receiver: signed, retried with backoff, and given up at last."""

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
"""Seconds before each attempt after the first; with none left, the event is given up."""

_TIMEOUT = 10.0  # seconds for each of connect, write and read


@dataclass
class Delivery:
    """An event, and what became of it.

    Attributes:
        job_id: The id of the job that has ended.
        event: The name of the event, such as ``job.succeeded``.
        body: What is posted, byte for byte.
        attempts: The number of times that it was posted.
        delivered: Whether the receiver has accepted it.
        outcome: The status of the last answer, or why there was none.
    """

    job_id: str
    event: str
    body: bytes
    attempts: int = 0
    delivered: bool = False
    outcome: str = ""


def make_delivery(job: Job, created_at: str) -> Delivery:
    """Return the event of a job that has ended, in the platform's form.

    Args:
        job: The job, with its output.
        created_at: The time of the event, in ISO 8601.
    """
    event = f"job.{job.status}"
    payload = {"event": event, "job": job, "created_at": created_at}
    return Delivery(job.id, event, json.dumps(payload).encode())


class Receiver:
    """The address that events are posted to.

    Args:
        url: The address.
        secret: Signs each event.
    """

    def __init__(self, url: str, secret: str) -> None:
        self._url = url
        self._secret = secret
        # The receiver is this machine: no proxy of the environment is asked.
        self._client = httpx.Client(timeout=_TIMEOUT, trust_env=False, follow_redirects=False)

    def post(self, delivery: Delivery) -> None:
        """Post an event once, and note what became of it.

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
            # Only the status counts: a body of any size stays unread.
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
    """The events that wait for their next attempt.

    Args:
        now: A monotonic clock, in seconds.
    """

    now: Callable[[], float] = time.monotonic
    _queue: list[tuple[float, int, Delivery]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def add(self, delivery: Delivery) -> None:
        """Add a new event, to be posted at once.

        Args:
            delivery: The event.
        """
        self._put(delivery, 0.0)

    def retry(self, delivery: Delivery) -> bool:
        """Put an event back after an attempt that failed.

        Args:
            delivery: The event.

        Returns:
            Whether there is another attempt; else the event is given up.
        """
        if delivery.attempts > len(DELAYS):
            return False
        self._put(delivery, DELAYS[delivery.attempts - 1])
        return True

    def pop_due(self) -> Delivery | None:
        """Take an event whose time has come; None when there is none."""
        if self._queue and self._queue[0][0] <= self.now():
            return heapq.heappop(self._queue)[2]
        return None

    def seconds_left(self, limit: float) -> float:
        """Return the seconds until the next attempt, at most a limit.

        Args:
            limit: Seconds.
        """
        if not self._queue:
            return limit
        return min(max(self._queue[0][0] - self.now(), 0.0), limit)

    def drain(self) -> list[Delivery]:
        """Take every event that is still to be delivered."""
        left = [entry[2] for entry in self._queue]
        self._queue.clear()
        return left

    def _put(self, delivery: Delivery, delay: float) -> None:
        entry: Any = (self.now() + delay, next(self._numbers), delivery)
        heapq.heappush(self._queue, entry)
