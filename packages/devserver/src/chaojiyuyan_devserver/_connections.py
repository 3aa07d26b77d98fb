"""How many connections there may be, and for how long one may keep the server waiting."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

log = logging.getLogger(__name__)

HEADER_TIMEOUT = 10.0
"""Seconds in which a connection must send the head of a request it has begun."""
BODY_TIMEOUT = 30.0
"""Seconds for which the next part of a request's body may stay away."""
SWEEP_INTERVAL = 1.0
ACCEPT_BACKLOG = 128
"""Number of connections that asyncio accepts in one go, before any of them is counted."""
WANTED_DESCRIPTORS = 4096
RESERVED_DESCRIPTORS = 64
"""File descriptors kept for the database, webhooks and snapshots."""
LOG_INTERVAL = 60.0
"""Seconds between two lines that say the same."""


class Connections:
    """Counts the open connections and closes those that keep the server waiting.

    A connection waits while it has no complete request: it is new, in the middle of one, or kept
    for the next one. At the limit, the one that has waited longest makes room for a new one, so
    half-open requests cannot keep others out.

    Args:
        limit: The maximum number of open connections.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: set[_Protocol] = set()
        self._waiting: dict[_Protocol, float] = {}
        self._sweep_timer: asyncio.TimerHandle | None = None

    @property
    def protocol_class(self) -> type[asyncio.Protocol]:
        """The protocol that uvicorn is to serve with."""
        return cast("type[asyncio.Protocol]", partial(_Protocol, self))

    def add(self, protocol: _Protocol) -> None:
        """Count a new connection, in place of one that waits where there are too many."""
        self._open.add(protocol)
        if len(self._open) > self._limit:
            victim = next(iter(self._waiting), protocol)
            log.warning(
                "The limit of %d connections is reached: the one that waits longest is closed.",
                self._limit,
            )
            self._close(victim)
        if protocol in self._open:
            self.expect(protocol, HEADER_TIMEOUT)

    def expect(self, protocol: _Protocol, seconds: float) -> None:
        """Close the connection unless more comes in so many seconds."""
        self._waiting[protocol] = time.monotonic() + seconds
        if self._sweep_timer is None:
            self._sweep_timer = protocol.loop.call_later(SWEEP_INTERVAL, self._sweep, protocol.loop)

    def release(self, protocol: _Protocol) -> None:
        """Leave the connection in peace: its request is complete."""
        self._waiting.pop(protocol, None)

    def remove(self, protocol: _Protocol) -> None:
        """Forget a connection that is closed."""
        self._open.discard(protocol)
        self._waiting.pop(protocol, None)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = time.monotonic()
        for protocol in [p for p, deadline in self._waiting.items() if deadline <= now]:
            self._close(protocol)
        waits = bool(self._waiting)
        self._sweep_timer = loop.call_later(SWEEP_INTERVAL, self._sweep, loop) if waits else None

    def _close(self, protocol: _Protocol) -> None:
        self.remove(protocol)
        protocol.transport.abort()


class _Protocol(HttpToolsProtocol):
    """uvicorn's protocol, which reports to ``Connections``."""

    def __init__(self, connections_watch: Connections, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._watch = connections_watch

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._watch.remove(self)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._watch.expect(self, HEADER_TIMEOUT)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._watch.expect(self, BODY_TIMEOUT)

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._watch.expect(self, BODY_TIMEOUT)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._watch.release(self)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.transport.is_closing():
            # uvicorn closes it, after ``timeout_keep_alive``, unless room is needed before.
            self._watch.expect(self, self.timeout_keep_alive + BODY_TIMEOUT)


class OnceAMinute(logging.Filter):
    """Passes a log record unless one of the same text was passed a short while ago."""

    def __init__(self) -> None:
        super().__init__()
        self._passed: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Decide whether a record is logged."""
        error = record.exc_info[1] if record.exc_info else None
        text, now = f"{record.msg}{type(error)}{error}"[:500], time.monotonic()
        if now - self._passed.get(text, -LOG_INTERVAL) < LOG_INTERVAL:
            return False
        self._passed = {t: at for t, at in self._passed.items() if now - at < LOG_INTERVAL}
        self._passed[text] = now
        return True


def limit_log_lines() -> None:
    """Let what a flood of bad requests logs be one line a minute."""
    once = OnceAMinute()
    for name in ("asyncio", "uvicorn.error", __name__):
        logging.getLogger(name).addFilter(once)


def connection_limit() -> int:
    """Return how many connections the process's file descriptors suffice for."""
    try:
        import resource
    except ImportError:  # Windows
        return WANTED_DESCRIPTORS // 4
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(WANTED_DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    descriptors = wanted if soft == resource.RLIM_INFINITY else soft
    return max(16, descriptors - RESERVED_DESCRIPTORS - 2 * ACCEPT_BACKLOG)
