"""The TLS context that all connections of a process share."""

from __future__ import annotations

from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

_making = Lock()


def shared_ssl_context() -> ssl.SSLContext:
    """Return the shared TLS context. A new one reads all root certificates in about 24 ms."""
    # With a lock, because the cache alone lets concurrent threads make several contexts.
    with _making:
        return _make_ssl_context()


@lru_cache(maxsize=1)
def _make_ssl_context() -> ssl.SSLContext:
    import httpx

    return httpx.create_ssl_context()
