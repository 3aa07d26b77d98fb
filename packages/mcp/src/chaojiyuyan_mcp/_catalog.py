"""The platform's catalog: prices for orders, and the capabilities that are tools of their own."""

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
    from collections.abc import Sequence

    from chaojiyuyan_core.models import CapabilitySpec

    from ._platform import Platform

log = logging.getLogger(__name__)

LISTING_TIMEOUT = 2.0
"""Seconds that a client waits for the catalog before its tools are listed without it."""

READ_TIMEOUT = 10.0
"""Seconds for reading it, also while nobody waits any more."""

REFRESH_INTERVAL = 60.0
"""Seconds for which what was read serves for the tools; a price is read again for each order."""

MAX_CACHE_BYTES = 1_000_000
"""Size up to which a cache on disk is read and written."""


class Catalog:
    """Reads the catalog; keeps what the capability tools need of it, also on disk."""

    def __init__(self, platform: Platform, keys: Sequence[str] = (), *, folder: Path | None = None):
        """Read nothing yet.

        Args:
            platform: Where to read.
            keys: The capabilities that are tools.
            folder: Where to keep them on disk; the user's cache folder by default.
        """
        self._platform = platform
        self._keys = keys
        self._folder = folder
        self._specs: dict[str, CapabilitySpec] | None = None
        self._read_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    async def price(self, capability_key: str) -> int | None:
        """Return the price of a capability now, in nc; None where nobody knows it.

        Args:
            capability_key: The capability.

        Raises:
            HebingAPIError: The platform refuses to show the catalog.
        """
        import httpx

        from chaojiyuyan_client.budget import read_price
        from chaojiyuyan_core import api
        from chaojiyuyan_core.errors import HebingAPIError

        try:
            rows = await self._platform.request(api.list_capabilities())
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
        """Return what is known of the capabilities that are tools, by key.

        A platform that does not answer in time costs what it would have told, not more.
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
        except Exception as error:  # noqa: BLE001  # whatever it is, the tools are listed without
            log.warning("the catalog could not be read: %s", error)
            return
        found = {row.get("capability_key"): row for row in rows}
        redactor = Redactor(self._platform.settings.api_key)  # these go to clients, and to the disk
        self._specs = {key: redactor.value(found[key]) for key in self._keys if key in found}
        self._read_at = time.monotonic()
        self._save()

    @property
    def _file(self) -> Path:
        """One file for each platform and choice of capabilities."""
        whole = json.dumps([self._platform.settings.base_url, *self._keys])
        name = hashlib.sha256(whole.encode()).hexdigest()[:16]
        return (self._folder or cache_folder()) / f"capabilities-{name}.json"

    def _load(self) -> dict[str, CapabilitySpec]:
        with contextlib.suppress(OSError, ValueError, RuntimeError, AttributeError):
            if self._file.stat().st_size <= MAX_CACHE_BYTES:
                rows = json.loads(self._file.read_bytes())
                return {key: rows[key] for key in self._keys if isinstance(rows.get(key), dict)}
        return {}

    def _save(self) -> None:
        text = json.dumps(self._specs).encode()
        with contextlib.suppress(OSError, RuntimeError):  # RuntimeError: there is no home folder
            if len(text) <= MAX_CACHE_BYTES:
                file = self._file
                temporary = file.with_name(f"{file.name}.{os.getpid()}")
                file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                temporary.write_bytes(text)
                temporary.replace(file)


def cache_folder() -> Path:
    """Return the folder for what can be read again from the platform."""
    base = os.environ.get("LOCALAPPDATA") if os.name == "nt" else os.environ.get("XDG_CACHE_HOME")
    return Path(base) / "chaojiyuyan" if base else Path.home() / ".cache" / "chaojiyuyan"
