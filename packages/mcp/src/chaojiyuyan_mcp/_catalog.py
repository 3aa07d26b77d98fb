"""Read the platform's catalog: prices for orders, and the capabilities that are tools."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chaojiyuyan_core.models import CapabilitySpec

    from ._platform import Platform

log = logging.getLogger(__name__)

LISTING_TIMEOUT = 2.0
"""Maximum seconds that listing the tools waits for the catalog. Later, it continues without it."""

READ_TIMEOUT = 10.0
"""Maximum seconds for reading the catalog, which continues in the background."""

REFRESH_INTERVAL = 60.0
"""Seconds for which the tools use a catalog. A price is read again for each order."""

MAX_CACHE_BYTES = 1_000_000
"""Maximum size in bytes of a cache file that is read or written."""


class Catalog:
    """Reads the catalog, and caches the entries of the capability tools in memory and on disk."""

    def __init__(self, platform: Platform, keys: Sequence[str]) -> None:
        """Create a catalog that has read nothing yet.

        Args:
            platform: Sends the requests.
            keys: The keys of the capabilities that are tools.
        """
        self._platform = platform
        self._keys = keys
        self._specs: dict[str, CapabilitySpec] | None = None
        self._read_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    async def price(self, capability_key: str, left: Callable[[], float]) -> int | None:
        """Return the present price of a capability in nc, or None when it is unknown.

        The request is ``GET /capability-specs``.

        Args:
            capability_key: The key of the capability.
            left: Returns the seconds until the deadline.

        Raises:
            HebingAPIError: The platform refuses to show the catalog.
        """
        import httpx

        from chaojiyuyan_client.budget import read_price
        from chaojiyuyan_core import api
        from chaojiyuyan_core.errors import HebingAPIError

        try:
            rows = await self._platform.request(api.list_capabilities(), left)
        except httpx.HTTPError:
            return None
        except HebingAPIError as error:
            if error.status_code in (401, 403):
                raise
            return None
        prices = {
            read_price(row.get("price_nc"))
            for row in rows
            if row.get("capability_key") == capability_key
        }
        return prices.pop() if len(prices) == 1 else None

    async def specs(self) -> dict[str, CapabilitySpec]:
        """Return the known catalog entries of the capability tools, by key.

        When the platform does not respond in time, the entries come from the cache file.
        """
        if not self._keys:
            return {}
        if time.monotonic() - self._read_at > REFRESH_INTERVAL:
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._read())
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._reading), LISTING_TIMEOUT)
        if self._specs is None:
            self._specs = self._load()
        return self._specs

    async def _read(self) -> None:
        from chaojiyuyan_core import api
        from chaojiyuyan_core.redaction import Redactor

        call = api.list_capabilities()
        try:
            rows = (await self._platform.send(call, READ_TIMEOUT)).value(call)
        except Exception as error:  # noqa: BLE001  # the tools can be listed without it
            log.warning("the catalog could not be read: %s", error)
            return
        found = {row.get("capability_key"): row for row in rows}
        redactor = Redactor(self._platform.settings.api_key)  # clients and the cache file get these
        self._specs = {key: redactor.value(found[key]) for key in self._keys if key in found}
        self._read_at = time.monotonic()
        self._save()

    @property
    def _file(self) -> Path:
        """The cache file for this platform and these capabilities."""
        whole = json.dumps([self._platform.settings.base_url, *self._keys])
        name = hashlib.sha256(whole.encode()).hexdigest()[:16]
        return _find_cache_folder() / f"capabilities-{name}.json"

    def _load(self) -> dict[str, CapabilitySpec]:
        with contextlib.suppress(OSError, ValueError, RuntimeError, AttributeError):
            if self._file.stat().st_size <= MAX_CACHE_BYTES:
                rows = json.loads(self._file.read_bytes())
                return {key: rows[key] for key in self._keys if isinstance(rows.get(key), dict)}
        return {}

    def _save(self) -> None:
        text = json.dumps(self._specs).encode()
        with contextlib.suppress(OSError, RuntimeError):  # RuntimeError: no home folder
            if len(text) <= MAX_CACHE_BYTES:
                file = self._file
                temporary = file.with_name(f"{file.name}.{os.getpid()}")
                file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                temporary.write_bytes(text)
                temporary.replace(file)


def _find_cache_folder() -> Path:
    """Return the user's cache folder for this program."""
    base = os.environ.get("LOCALAPPDATA") if os.name == "nt" else os.environ.get("XDG_CACHE_HOME")
    return Path(base) / "chaojiyuyan" if base else Path.home() / ".cache" / "chaojiyuyan"
