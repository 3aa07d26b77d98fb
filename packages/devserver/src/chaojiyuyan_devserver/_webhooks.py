"""Sends signed webhooks, several at once, and retries them with backoff."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ._version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from .kernel.records import Delivery
    from .kernel.webhooks import Webhooks

TRY_TIMEOUT = 10.0
"""Timeout of one try in seconds, from the connection to the end of the response headers."""
MAX_TRIES_AT_ONCE = 16


class Sender:
    """Sends the deliveries that are due.

    Args:
        webhooks: The deliveries.
        on_tried: Called after each try, to save its outcome.
    """

    def __init__(self, webhooks: Webhooks, on_tried: Callable[[], None]) -> None:
        self._webhooks = webhooks
        self._on_tried = on_tried
        self._client: httpx.AsyncClient | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def send_due(self) -> None:
        """Start the tries that are due, up to the limit; the rest start when others end."""
        while len(self._tasks) < MAX_TRIES_AT_ONCE:
            delivery = self._webhooks.take()
            if delivery is None:
                break
            task = asyncio.ensure_future(self._send(delivery))
            self._tasks.add(task)
            task.add_done_callback(self._finish)

    def next_deadline(self) -> float | None:
        """Return when to call ``send_due`` next, or None if the end of a try will call it."""
        return self._webhooks.next_deadline() if len(self._tasks) < MAX_TRIES_AT_ONCE else None

    async def close(self) -> None:
        """Stop the running tries. Their deliveries stay pending until the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    async def _send(self, delivery: Delivery) -> None:
        import httpx  # imported late: it takes 0.1 s, and only webhooks need it

        status = error = None
        try:
            status = await asyncio.wait_for(self._post(delivery), TRY_TIMEOUT)
        except asyncio.TimeoutError:
            error = f"There was no answer within {TRY_TIMEOUT:.0f} s."
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as failure:
            error = f"{type(failure).__name__}: {failure}"
        self._webhooks.note_try(delivery, status, error)

    async def _post(self, delivery: Delivery) -> int:
        import httpx

        if self._client is None:
            # The receiver is the developer's own program: no proxy and no redirects.
            self._client = httpx.AsyncClient(timeout=TRY_TIMEOUT, trust_env=False)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"chaojiyuyan-devserver/{__version__}",
            "X-Kernel-Signature": self._webhooks.signature(delivery),
            "X-Kernel-Delivery": delivery.id,
        }
        # The response's body is not used, so it is not read.
        async with self._client.stream(
            "POST", delivery.url, content=delivery.body, headers=headers
        ) as answer:
            return answer.status_code

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            self._on_tried()
