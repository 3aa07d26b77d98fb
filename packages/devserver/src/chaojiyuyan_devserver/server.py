"""The process: socket, signals, the files it leaves for its parent, and the two printed lines."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from .api import PREFIX, create_app
from .kernel import Rules
from .service import KernelService

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from starlette.types import Scope

    from .catalog import Catalog

CONTROL_TOKEN = "CHAOJIYUYAN_DEVSERVER_CONTROL_TOKEN"  # noqa: S105 - the variable, not the token
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def data_folder() -> Path:
    """Where the kernel keeps its data unless told otherwise: the user's data folder."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "chaojiyuyan" / "devserver"


def serve(options: argparse.Namespace, catalog: Catalog) -> int:
    """Serve until a signal; returns the exit code."""
    folder = None if options.ephemeral else options.data or data_folder()
    try:
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        listener = _listen("127.0.0.1", options.port)
    except OSError as error:
        print(f"cannot start: {error}", file=sys.stderr)
        return 1
    return asyncio.run(_serve(listener, folder, catalog, Rules(lease=options.lease)))


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


async def _serve(
    listener: socket.socket, folder: Path | None, catalog: Catalog, rules: Rules
) -> int:
    failed = False

    def fail() -> None:
        nonlocal failed
        failed = True
        stop()

    def stop() -> None:
        service.waiters.close()
        server.should_exit = True

    path = None if folder is None else folder / "kernel.db"
    service = KernelService(catalog, rules, path, fail)
    token = os.environ.pop(CONTROL_TOKEN, "") or secrets.token_urlsafe(24)

    def drop(scope: Scope) -> None:
        for connection in server.server_state.connections:
            transport = connection.transport
            if transport.get_extra_info("peername")[:2] == scope["client"]:
                transport.abort()

    app = create_app(service, hosts=LOOPBACK, control_token=token, drop=drop)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        date_header=False,
        server_header=False,
        lifespan="off",
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config, lambda: print(f"{base_url}\n{api_key}", flush=True))
    for number in (signal.SIGINT, signal.SIGTERM):
        service.loop.add_signal_handler(number, stop)
    key_file = None if folder is None else folder / "agent-key"
    stored = key_file.read_text().strip() if key_file is not None and key_file.exists() else None
    api_key = await service.prepare_ready_agent(stored)
    if key_file is not None and api_key != stored:
        _write_private(key_file, api_key)
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}{PREFIX}"
    await server.serve(sockets=[listener])
    await service.close()
    return 1 if failed else 0


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


class _Server(uvicorn.Server):
    """uvicorn that says when it serves, and leaves signals alone: it would raise them again."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        self._on_started()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield
