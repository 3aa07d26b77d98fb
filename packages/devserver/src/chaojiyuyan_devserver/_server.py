"""The kernel's process: its socket, its signals, and its output."""

import asyncio
import errno
import os
import secrets
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import Scope

from ._api import PREFIX, Access, create_app
from ._catalog_files import CatalogError, load_builtin, load_catalog
from ._commands import CONTROL_TOKEN
from ._connections import ACCEPT_BACKLOG, Connections, connection_limit, limit_log_lines
from ._options import Options
from ._service import KernelService
from ._store.snapshots import SnapshotError
from ._store.store import StoreError
from .kernel import Catalog, Rules

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - only with --allow-remote


def serve(options: Options) -> int:
    """Serve until a signal, and return the exit code."""
    try:
        more = load_catalog(options.catalog) if options.catalog else []
        catalog = Catalog([*load_builtin(), *more])
        snapshot = options.snapshot.read_bytes() if options.snapshot else None
    except (CatalogError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    try:
        if options.folder is not None:
            if snapshot is not None and options.folder.holds_data:
                raise StoreError(
                    f"{options.folder.path} has data, which --from would replace. Choose an empty"
                    " folder with --data, or use --ephemeral."
                )
            options.folder.make()
        with _listen(options.host, options.port) as listener:
            return asyncio.run(_LocalServer(options, listener).run(catalog, snapshot))
    except (StoreError, SnapshotError, OSError) as error:
        print(f"The kernel cannot start: {error}", file=sys.stderr)
        return 1


class _LocalServer:
    """A kernel that serves on a socket.

    Args:
        options: The options of the command line.
        listener: The listening socket.
    """

    def __init__(self, options: Options, listener: socket.socket) -> None:
        self._options = options
        self._listener = listener
        self._folder = options.folder
        self._site = _address(options.host, listener.getsockname()[1])
        token = os.environ.pop(CONTROL_TOKEN, "") or secrets.token_urlsafe(24)
        self._access = Access(
            _host_names(options.host), token, self._choose_console_token(), options.allow_remote
        )
        self._has_failed = False

    def _choose_console_token(self) -> str | None:
        if self._options.no_console_token:
            return None
        return self._folder.console_token() if self._folder else secrets.token_urlsafe(24)

    async def run(self, catalog: Catalog, snapshot: bytes | None) -> int:
        """Serve until a signal, and return the exit code.

        Args:
            catalog: The capability specs.
            snapshot: The content of the snapshot to start from, or None.
        """
        rules = Rules(lease=self._options.lease)
        self._service = KernelService(catalog, rules, self._folder, self._fail)
        try:
            self._service.faults.set(self._options.fault)
            if snapshot is None:
                await self._service.prepare()
            else:
                resume = self._options.resume_webhooks
                await self._service.load_snapshot(snapshot, resume_webhooks=resume)
            await self._serve()
        finally:
            if self._folder is not None:
                self._folder.close_control()
            await self._service.close()
        return 1 if self._has_failed else 0

    async def _serve(self) -> None:
        limit_log_lines()
        config = uvicorn.Config(
            create_app(self._service, self._access, self._drop),
            http=Connections(connection_limit()).protocol_class,
            backlog=ACCEPT_BACKLOG,
            log_level="warning",
            access_log=False,
            date_header=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            ws="none",
            timeout_keep_alive=75,  # longer than a client's usual pause between requests
            timeout_graceful_shutdown=1,
        )
        self._server = _Server(config)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self._service.loop.call_soon_threadsafe(self._stop))
        self._announce()  # the socket already listens; what arrives now waits in its queue
        await self._server.serve(sockets=[self._listener])

    def _announce(self) -> None:
        base_url = self._site + PREFIX
        if self._folder is not None:
            self._folder.open_control(base_url, self._access.control_token)
        token = self._access.console_token
        link = f"{self._site}/?token={token}" if token is not None else f"{self._site}/"
        if sys.stderr.isatty():
            print(_describe(base_url, self._service.ready_key, link), file=sys.stderr, flush=True)
        else:  # standard error may be a log file, where a key should not be
            print(f"console: {link}", file=sys.stderr, flush=True)
        if not (sys.stderr.isatty() and sys.stdout.isatty()):
            print(f"{base_url}\n{self._service.ready_key}", flush=True)

    def _stop(self) -> None:
        self._service.waiters.close()
        self._server.stop()

    def _fail(self) -> None:
        self._has_failed = True
        self._stop()

    def _drop(self, scope: Scope) -> None:
        for connection in self._server.server_state.connections:
            transport = connection.transport
            if transport.get_extra_info("peername")[:2] == scope["client"]:
                transport.abort()


def _describe(base_url: str, api_key: str, console: str) -> str:
    """Return the text that is printed on a terminal at the start."""
    export = "export {}={}" if os.name == "posix" else '$env:{} = "{}"'
    return "\n".join(
        [
            "The local kernel is running. Ctrl-C stops it.",
            "Watch jobs and approve logins in the console:",
            f"console: {console}",
            "Use the kernel from another shell:",
            "  " + export.format("HEBING_BASE_URL", base_url),
            "  " + export.format("CHAOJIYUYAN_API_KEY", api_key),
        ]
    )


class _Server(uvicorn.Server):
    """A uvicorn server without uvicorn's signal handlers.

    uvicorn would raise the signals again after its shutdown.

    Args:
        config: uvicorn's configuration.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Make the server shut down."""
        self.should_exit = True
        self._stopping.set()

    async def main_loop(self) -> None:
        """Sleep until ``stop``; uvicorn's own loop wakes up ten times a second."""
        await self.on_tick(0)
        await self._stopping.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no signal handlers."""
        yield


def _listen(host: str, port: int) -> socket.socket:
    # asyncio disables Nagle's algorithm only if the protocol is given. Otherwise every response
    # would wait 40 ms for the acknowledgement of its headers.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(ACCEPT_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise OSError(
                f"Port {port} is in use. Choose another with --port, or 0 for any free port."
            ) from None
        raise
    return listener


def _address(host: str, port: int) -> str:
    reachable = EVERYWHERE.get(host, host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def _host_names(host: str) -> frozenset[str]:
    names = {"localhost", host.lower()}
    if host in EVERYWHERE:
        names.add(socket.gethostname().lower())
    return frozenset(names)
