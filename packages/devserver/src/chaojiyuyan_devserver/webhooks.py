"""Sends webhooks: signed, side by side, again with backoff until they are taken."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx

from ._version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from .kernel.webhooks import Delivery, Webhooks

TIMEOUT = 10.0
SIDE_BY_SIDE = 16


class Sender:
    """Carries out the tries that are due.

    Args:
        webhooks: the deliveries.
        clock: the kernel's clock.
        on_tried: called after each try, so that its outcome is saved.
    """

    def __init__(
        self, webhooks: Webhooks, clock: Callable[[], float], on_tried: Callable[[], None]
    ) -> None:
        self._webhooks = webhooks
        self._clock = clock
        self._on_tried = on_tried
        self._client: httpx.AsyncClient | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def send_due(self) -> None:
        """Start what is due; the rest of a crowd follows as places become free."""
        while len(self._tasks) < SIDE_BY_SIDE:
            delivery = self._webhooks.take(self._clock())
            if delivery is None:
                break
            task = asyncio.ensure_future(self._send(delivery))
            self._tasks.add(task)
            task.add_done_callback(self._done)

    def next_deadline(self) -> float | None:
        """When to call ``send_due``, if not at the end of a try."""
        return self._webhooks.next_deadline() if len(self._tasks) < SIDE_BY_SIDE else None

    async def close(self) -> None:
        """Break off what is under way; it stays pending and is tried again after the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    async def _send(self, delivery: Delivery) -> None:
        if self._client is None:
            # the receiver is the developer's own: no proxy from the environment, no redirects
            self._client = httpx.AsyncClient(timeout=TIMEOUT, trust_env=False)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"chaojiyuyan-devserver/{__version__}",
            "X-Kernel-Signature": self._webhooks.signature(delivery),
            "X-Kernel-Delivery": delivery.id,
        }
        status = error = None
        try:
            answer = await self._client.post(delivery.url, content=delivery.body, headers=headers)
            status = answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as failure:
            error = f"{type(failure).__name__}: {failure}"
        self._webhooks.tried(delivery, self._clock(), status, error)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            self._on_tried()
