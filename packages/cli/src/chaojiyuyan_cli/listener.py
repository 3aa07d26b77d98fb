"""Deliver webhooks of real jobs to this machine, for programs and tests.

The platform cannot reach a laptop. A `Listener` follows the caller's jobs instead. When a job
ends, it posts a signed event to a local address, in the same format as the platform::

    with Listener(client, "http://127.0.0.1:8000/webhook", secret="whsec_test") as listener:
        job = client.call("text.digest.v1", {"text": "hi"})
        listener.wait_for(job.id)
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import httpx

from chaojiyuyan_core.addresses import is_loopback
from chaojiyuyan_core.errors import AuthenticationError, HebingError, PermissionDeniedError

from ._listen import EVENTS, RemoteAddressError
from ._listen.delivery import Delivery, Outbox, Receiver, make_delivery
from ._listen.follower import JobFollower

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from typing_extensions import Self

    from chaojiyuyan_client import NexusClient

__all__ = ["EVENTS", "Delivery", "Listener", "check_target"]

DEFAULT_INTERVAL = 1.0
"""Seconds between two polls of the jobs."""

MAX_PAUSE = 30.0
"""Maximum seconds between two polls while the platform fails."""

CLOSE_TIMEOUT = 12.0
"""Maximum seconds for the requests in flight at the end. A delivery that stalls takes 10 s."""

MAX_SETTLED = 1000
"""Maximum number of events that :meth:`Listener.wait_for` remembers."""


def check_target(url: str, *, allow_remote: bool = False) -> str:
    """Check the address that receives the events, because events contain the outputs of jobs.

    Args:
        url: The address; ``http://`` may be missing.
        allow_remote: Whether another machine is allowed.

    Returns:
        The address with its scheme.

    Raises:
        ValueError: The address is not an http or https address, or it belongs to another machine.
    """
    address = url if "://" in url else f"http://{url}"
    try:
        parsed = httpx.URL(address)
    except httpx.InvalidURL as error:
        raise ValueError(f"{url!r} is not an address: {error}") from None
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo:
        raise ValueError(f"{url!r} is not an http or https address without a user")
    if not allow_remote and not is_loopback(parsed.host):
        raise RemoteAddressError(f"{parsed.host} is another machine, and events contain outputs")
    return address


class Listener:
    """Posts an event for each job that ends, at least once, until the listener is closed.

    Args:
        client: Reads the caller's jobs.
        forward_to: The local address that receives the events.
        secret: The signing secret. By default, a new secret is generated, see :attr:`secret`.
        events: The types of events to post, such as ``job.failed``; all by default.
        interval: Seconds between two polls of the jobs.
        allow_remote: Whether `forward_to` may be an address of another machine.
        on_delivery: Called on the listener's thread with each event that was delivered or given
            up.
        on_fault: Called on the listener's thread with each error of the platform after which the
            listener retries.

    Attributes:
        secret: The secret that signs the events.

    Raises:
        ValueError: `forward_to` is not an address of this machine, or the secret is empty.
    """

    def __init__(
        self,
        client: NexusClient,
        forward_to: str,
        *,
        secret: str | None = None,
        events: Collection[str] = EVENTS,
        interval: float = DEFAULT_INTERVAL,
        allow_remote: bool = False,
        on_delivery: Callable[[Delivery], object] | None = None,
        on_fault: Callable[[Exception], object] | None = None,
    ) -> None:
        if secret == "":
            raise ValueError("the signing secret is empty")
        self.secret = secret or f"whsec_{secrets.token_urlsafe(24)}"
        self._receiver = Receiver(check_target(forward_to, allow_remote=allow_remote), self.secret)
        self._follower = JobFollower(client)
        self._events = frozenset(events)
        self._interval = interval
        self._on_delivery = on_delivery
        self._on_fault = on_fault
        self._outbox = Outbox()
        self._settled: OrderedDict[str, Delivery] = OrderedDict()
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._error: Exception | None = None
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        """Start the listener. It posts the events of jobs that end from now on.

        Raises:
            HebingAPIError: The platform refuses the request.
            httpx.HTTPError: The platform cannot be reached.
        """
        self._follower.start()
        for work in (self._follow, self._deliver):
            thread = threading.Thread(target=work, name="chaojiyuyan-listen", daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Stop the listener, and report undelivered events as given up."""
        self.close()

    def close(self) -> None:
        """Stop the listener, and report undelivered events as given up."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        deadline = time.monotonic() + CLOSE_TIMEOUT
        for thread in reversed(self._threads):  # the delivery first, whose result is reported
            thread.join(max(0.0, deadline - time.monotonic()))
        for delivery in self._outbox.drain():
            self._settle(delivery)
        self._receiver.close()

    def join(self, timeout: float | None = None) -> None:
        """Wait until the listener stops because the platform refuses the key.

        Args:
            timeout: Maximum seconds to wait; None waits without a limit.

        Raises:
            HebingAPIError: The platform refuses the key.
        """
        self._stop.wait(timeout)
        if self._error is not None:
            raise self._error

    def wait_for(self, job_id: str, timeout: float = 30.0) -> Delivery:
        """Wait until the event of a job was delivered or given up.

        Args:
            job_id: The id of the job.
            timeout: Maximum seconds to wait.

        Raises:
            TimeoutError: There was no event in time.
        """
        with self._changed:
            self._changed.wait_for(lambda: job_id in self._settled, timeout)
            if job_id not in self._settled:
                raise TimeoutError(f"no event of job {job_id} in {timeout} s")
            return self._settled[job_id]

    def _follow(self) -> None:
        pause = self._interval
        while not self._stop.wait(pause):
            pause = self._interval if self._poll() else min(pause * 2, MAX_PAUSE)

    def _poll(self) -> bool:
        """Poll the jobs once, and return whether the platform responded."""
        try:
            for job in self._follower.poll():
                self._enqueue(make_delivery(job, datetime.now(timezone.utc).isoformat()))
        except (AuthenticationError, PermissionDeniedError) as error:
            self._error = error
            self._stop.set()
            return False
        except (HebingError, httpx.HTTPError) as error:
            if self._on_fault is not None and not self._stop.is_set():
                self._on_fault(error)
            return False
        return True

    def _enqueue(self, delivery: Delivery) -> None:
        if delivery.event in self._events:
            with self._changed:
                self._outbox.add(delivery)
                self._changed.notify_all()

    def _deliver(self) -> None:
        while not self._stop.is_set():
            with self._changed:
                delivery = self._outbox.pop_due()
                if delivery is None:
                    self._changed.wait(self._outbox.seconds_left(60.0))
                    continue
            self._receiver.post(delivery)
            with self._changed:
                waits = not delivery.delivered and self._outbox.retry(delivery)
            if not waits:
                self._settle(delivery)

    def _settle(self, delivery: Delivery) -> None:
        with self._changed:
            self._settled[delivery.job_id] = delivery
            if len(self._settled) > MAX_SETTLED:
                self._settled.popitem(last=False)
            self._changed.notify_all()
        if self._on_delivery is not None:
            self._on_delivery(delivery)
