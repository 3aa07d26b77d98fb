"""The process: its socket, its signals, and the two lines that it prints."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn
from sqlalchemy.exc import DatabaseError

from .api import PREFIX, create_app
from .folder import Folder, default_folder
from .kernel import Rules
from .service import KernelService

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from starlette.types import Scope

    from .catalog import Catalog

CONTROL_TOKEN = "CHAOJIYUYAN_DEVSERVER_CONTROL_TOKEN"  # noqa: S105 - the variable, not the token
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - only with --allow-remote


def serve(options: argparse.Namespace, catalog: Catalog) -> int:
    """Serve until a signal; returns the exit code."""
    try:
        folder = None if options.ephemeral else Folder(options.data or default_folder())
        if folder is not None:
            folder.make()
        with _listen(options.host, options.port) as listener:
            return asyncio.run(_serve(options, catalog, folder, listener))
    except DatabaseError as error:
        locked = "locked" in str(error.orig)
        why = "another kernel runs on this folder" if locked else f"kernel.db: {error.orig}"
        print(f"cannot start: {why}", file=sys.stderr)
    except OSError as error:
        print(f"cannot start: {error}", file=sys.stderr)
    return 1


async def _serve(
    options: argparse.Namespace, catalog: Catalog, folder: Folder | None, listener: socket.socket
) -> int:
    failed = False

    def fail() -> None:
        nonlocal failed
        failed = True
        stop()

    def stop() -> None:
        service.waiters.close()
        server.stop()

    def drop(scope: Scope) -> None:
        for connection in server.server_state.connections:
            transport = connection.transport
            if transport.get_extra_info("peername")[:2] == scope["client"]:
                transport.abort()

    def started() -> None:
        if folder is not None:
            folder.open_control(base_url, control_token)
        if console_token is not None:
            print(f"console: {site}/?token={console_token}", file=sys.stderr, flush=True)
        print(f"{base_url}\n{api_key}", flush=True)

    rules = Rules(lease=options.lease)
    service = KernelService(catalog, rules, folder.database if folder else None, fail)
    service.faults.set(options.fault)
    stored_key = folder.agent_key if folder else None
    api_key = await service.prepare_ready_agent(stored_key)
    if folder is not None and api_key != stored_key:
        folder.keep_agent_key(api_key)
    site = _address(options.host, listener.getsockname()[1])
    base_url = site + PREFIX
    control_token = os.environ.pop(CONTROL_TOKEN, "") or secrets.token_urlsafe(24)
    console_token = secrets.token_urlsafe(24) if options.allow_remote else None
    app = create_app(
        service,
        hosts=_names(options.host),
        control_token=control_token,
        console_token=console_token,
        drop=drop,
    )
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        date_header=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        timeout_keep_alive=75,  # a client that pauses finds its connection again
        timeout_graceful_shutdown=1,
    )
    server = _Server(config, started)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: service.loop.call_soon_threadsafe(stop))
    try:
        await server.serve(sockets=[listener])
    finally:
        if folder is not None:
            folder.close_control()
        await service.close()
    return 1 if failed else 0


def _listen(host: str, port: int) -> socket.socket:
    # the protocol is named because asyncio turns Nagle's algorithm off only where it is: without,
    # every answer would wait 40 ms for the acknowledgement of its own head
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


def _address(host: str, port: int) -> str:
    reachable = EVERYWHERE.get(host, host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def _names(host: str) -> frozenset[str]:
    names = {"localhost", host.lower()}
    if host in EVERYWHERE:
        names.add(socket.gethostname().lower())
    return frozenset(names)


class _Server(uvicorn.Server):
    """uvicorn that says when it serves, and leaves signals alone: it would raise them again.

    Args:
        config: uvicorn's own.
        on_started: called once it serves.
    """

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Have it end."""
        self.should_exit = True
        self._stopping.set()

    async def main_loop(self) -> None:
        """Sleep until ``stop``, where uvicorn's own looks ten times a second."""
        await self.on_tick(0)
        await self._stopping.wait()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        self._on_started()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield
