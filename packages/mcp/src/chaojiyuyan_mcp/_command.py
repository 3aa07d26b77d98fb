"""The command: its options, and the start of the server."""

from __future__ import annotations

import gc
import os
import sys
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from ._options import (
    ASK_ABOVE_VARIABLE,
    BUDGET_VARIABLE,
    READ_ONLY_VARIABLE,
    TOOLS_VARIABLE,
    TOOLSET_VARIABLE,
    TOOLSETS,
    Choice,
    choose_smaller,
)
from ._version import __version__

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from mcp.server.lowlevel import Server

    from chaojiyuyan_core.settings import Settings

    from ._http import Endpoint

PROGRAM = "chaojiyuyan-mcp"


def main(argv: Sequence[str] | None = None) -> int:
    """Serve MCP over standard input and output, or over HTTP, until the client or a signal ends it.

    Args:
        argv: The arguments, those of the process by default.

    Returns:
        The exit code: 0 at the end, 1 where there are no credentials, or no pipes or port.

    Raises:
        SystemExit: 2 for invalid arguments or variables, 0 after ``--help`` and ``--version``.
    """
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        start = _Start.read(options)
    except ValueError as error:
        parser.error(str(error))
    try:
        settings = _load_settings(options.profile, options.base_url)
    except ValueError as error:
        _say(str(error))
        return 1

    from ._lifetime import exit_at_signal

    exit_at_signal()

    def make_server() -> Server[None]:
        try:
            return start.make_server(settings)
        except ValueError as error:
            parser.error(str(error))

    if start.endpoint is not None:
        return _serve_http(start.endpoint, make_server)
    return _serve_pipes(make_server)


@dataclass(frozen=True)
class _Start:
    """What the options and the environment ask for."""

    choice: Choice
    ask_above_nc: int | None
    budget_nc: int | None
    capabilities: tuple[str, ...]
    endpoint: Endpoint | None

    @classmethod
    def read(cls, options: argparse.Namespace) -> _Start:
        """Read both.

        Args:
            options: The parsed options.

        Raises:
            ValueError: One of them is invalid.
        """
        choice = Choice.of(
            os.environ, read_only=options.read_only, toolset=options.toolset, names=options.tool
        )
        for key in options.capability:
            if not key.strip():
                raise ValueError("--capability is empty")
        endpoint = None
        if options.http is not None:
            from ._http import Endpoint

            endpoint = Endpoint.read(options.http, os.environ, allow_remote=options.allow_remote)
        elif options.allow_remote:
            raise ValueError("--allow-remote goes with --http")
        return cls(
            choice,
            choose_smaller(os.environ, ASK_ABOVE_VARIABLE, "--ask-above", options.ask_above),
            choose_smaller(os.environ, BUDGET_VARIABLE, "--budget", options.budget),
            tuple(options.capability) if choice.allows_orders else (),
            endpoint,
        )

    def make_server(self, settings: Settings) -> Server[None]:
        """Make the server.

        Args:
            settings: The agent key and the base URL.

        Raises:
            ValueError: A tool that was asked for is unknown, or none is left.
        """
        gc.disable()  # what is loaded stays: a collection would take a tenth of the start
        from ._orders import Limits
        from ._server import make_server
        from ._services import Services
        from ._tools import TOOLS

        tools = self.choice.select(TOOLS)
        if not tools and not self.capabilities:
            raise ValueError("these choices leave no tool to offer")
        limits = Limits(self.ask_above_nc, self.budget_nc)
        services = Services(settings, limits, self.capabilities)
        server = make_server(tools, services, self.capabilities)
        gc.freeze()
        gc.enable()
        return server


def _serve_pipes(make_server: Callable[[], Server[None]]) -> int:
    from ._lifetime import run
    from ._stdio import claim_pipes

    try:
        if os.isatty(0):
            _say("waiting for an MCP client to speak on standard input; Ctrl-C ends it")
        source, sink = claim_pipes()
    except OSError as error:
        _say(f"standard input and output must be open: {error}")
        return 1
    run(make_server(), source, sink)
    return 0


def _serve_http(endpoint: Endpoint, make_server: Callable[[], Server[None]]) -> int:
    from ._http import serve

    try:
        listener = endpoint.listen()
    except OSError as error:
        _say(
            f"{endpoint.address} cannot be listened on: {error.strerror or error}. Choose another"
            " with --http HOST:PORT; port 0 takes any that is free"
        )
        return 1
    server = make_server()
    url = endpoint.url(listener)
    _say(f"serving {url}; Ctrl-C ends it")
    if endpoint.is_token_new:
        _say(f"each request needs the header Authorization: Bearer {endpoint.token}")
    serve(server, endpoint, listener)
    return 0


def _parser() -> argparse.ArgumentParser:
    import argparse

    from chaojiyuyan_core.redaction import mask_keys

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            super().error(mask_keys(message))  # it quotes what was typed

    parser = Parser(
        prog=PROGRAM,
        description="An MCP server for the chaojiyuyan capability platform.",
        epilog="The agent key comes from CHAOJIYUYAN_API_KEY or from `chaojiyuyan connect`.",
    )
    parser.add_argument(
        "--read-only",
        action="store_true",
        help=f"offer no tool that creates or changes anything ({READ_ONLY_VARIABLE}=1)",
    )
    parser.add_argument(
        "--toolset",
        choices=TOOLSETS,
        help=f"offer the tools of a caller or of a worker only ({TOOLSET_VARIABLE})",
    )
    parser.add_argument(
        "--tool",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help=f"offer these of the eight tools only ({TOOLS_VARIABLE}, separated by commas)",
    )
    parser.add_argument(
        "--capability",
        action="append",
        default=[],
        metavar="KEY",
        help="offer this capability as a tool of its own; may be repeated",
    )
    parser.add_argument(
        "--ask-above",
        metavar="NC",
        help=f"ask the user before an order above this price ({ASK_ABOVE_VARIABLE})",
    )
    parser.add_argument(
        "--budget",
        metavar="NC",
        help=f"order for this much in all, then no more ({BUDGET_VARIABLE})",
    )
    parser.add_argument(
        "--http",
        metavar="HOST:PORT",
        help="serve streamable HTTP at /mcp instead of standard input and output",
    )
    parser.add_argument(
        "--allow-remote",
        action="store_true",
        help="with --http: listen on a host that other machines reach",
    )
    parser.add_argument("--profile", help="use this profile of the credentials file")
    parser.add_argument("--base-url", help="use the platform at this address")
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    return parser


def _load_settings(profile: str | None, base_url: str | None) -> Settings:
    """Find the credentials; what is doubtful about them is said in a line each."""
    from dataclasses import replace

    from chaojiyuyan_core.addresses import checked_api_key, checked_base_url
    from chaojiyuyan_core.settings import load_settings

    with warnings.catch_warnings(record=True) as doubts:
        warnings.simplefilter("always")
        settings = load_settings(
            profile=profile,
            base_url=base_url,
            prefer_profile=profile is not None,
            prefer_environment_url=True,
        )
        checked_base_url(settings.base_url)
    for doubt in doubts:
        _say(f"warning: {doubt.message}")
    return replace(settings, api_key=checked_api_key(settings.api_key))


def _say(text: str) -> None:
    print(f"{PROGRAM}: {text}", file=sys.stderr)
