"""A client's cache of the catalog: prices and schemas, at most five minutes old."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaojiyuyan_core import api
from chaojiyuyan_core.http import Flow, Retry, request

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaojiyuyan_core.models import CapabilitySpec

MAX_AGE = 300.0
"""Seconds after which the catalog is read again."""


class Catalog:
    """The entries of the catalog by key.

    Args:
        now: A monotonic clock, in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._read_at = float("-inf")
        self._entries: dict[str, CapabilitySpec] = {}

    def find(
        self, capability_key: str, retry: Retry, *, left: Callable[[], float] | None = None
    ) -> Flow[CapabilitySpec | None]:
        """Return the entry of a capability, or None when the catalog does not have it.

        Args:
            capability_key: The key of the capability.
            retry: The number and the delays of retries.
            left: Returns the seconds until the deadline; None means no deadline.

        Returns:
            The flow that returns the entry.

        Raises:
            HebingAPIError: The API refused to show the catalog.
            httpx.HTTPError: The platform could not be reached.
        """
        if self._now() - self._read_at >= MAX_AGE:
            yield from self.read(retry, left=left)
        return self._entries.get(capability_key)

    def read(
        self, retry: Retry, *, left: Callable[[], float] | None = None
    ) -> Flow[list[CapabilitySpec]]:
        """Read the whole catalog (``GET /capability-specs``) into the cache.

        Args:
            retry: The number and the delays of retries.
            left: Returns the seconds until the deadline; None means no deadline.

        Returns:
            The flow that returns the entries.

        Raises:
            HebingAPIError: The API refused to show the catalog.
            httpx.HTTPError: The platform could not be reached.
        """
        began = self._now()
        entries = yield from request(api.list_capabilities(), retry, left=left)
        self._entries = {str(entry.get("capability_key")): entry for entry in entries}
        self._read_at = began
        return entries
