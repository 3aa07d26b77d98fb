"""Limits on connections: how many may be open, and how long an incomplete request may take."""

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
"""Seconds within which a connection must send the complete head of a request."""
BODY_TIMEOUT = 30.0
"""Seconds within which the next part of a request's body must arrive."""
SWEEP_INTERVAL = 1.0
ACCEPT_BACKLOG = 128
"""Connections that asyncio accepts in one turn of the event loop, before any is counted."""
WANTED_DESCRIPTORS = 4096
RESERVED_DESCRIPTORS = 64
"""File descriptors kept for the database, webhooks and snapshots."""
LOG_INTERVAL = 60.0
"""Seconds within which a log line with the same text is not repeated."""


class Connections:
    """Counts the open connections and closes those that wait too long.

    A connection waits while it has no complete request: it is new, has sent part of a request,
    or is idle between two. At the limit, the connection that has waited longest is closed for a
    new one, so incomplete requests cannot block other clients.

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
        """The protocol class for uvicorn."""
        return cast("type[asyncio.Protocol]", partial(_Protocol, self))

    def add(self, protocol: _Protocol) -> None:
        """Count a new connection; at the limit, close the one that has waited longest."""
        self._open.add(protocol)
        if len(self._open) > self._limit:
            victim = next(iter(self._waiting), protocol)
            log.warning(
                "The limit of %d connections is reached; closing the one that has waited longest.",
                self._limit,
            )
            self._close(victim)
        if protocol in self._open:
            self.expect(protocol, HEADER_TIMEOUT)

    def expect(self, protocol: _Protocol, seconds: float) -> None:
        """Close the connection unless it sends more within ``seconds``."""
        self._waiting[protocol] = time.monotonic() + seconds
        if self._sweep_timer is None:
            self._sweep_timer = protocol.loop.call_later(SWEEP_INTERVAL, self._sweep, protocol.loop)

    def release(self, protocol: _Protocol) -> None:
        """Stop the connection's time limit: its request is complete."""
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
            # uvicorn closes it after ``timeout_keep_alive``; the limit may close it earlier.
            self._watch.expect(self, self.timeout_keep_alive + BODY_TIMEOUT)


class OnceAMinute(logging.Filter):
    """Drops a log record if one with the same text was logged within ``LOG_INTERVAL`` seconds."""

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
    """Limit the log lines about bad requests to one a minute for each text."""
    once = OnceAMinute()
    for name in ("asyncio", "uvicorn.error", __name__):
        logging.getLogger(name).addFilter(once)


def connection_limit() -> int:
    """Return how many connections the process's limit on file descriptors allows."""
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
