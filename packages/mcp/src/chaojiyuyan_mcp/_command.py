"""The command: parse its options and start the server."""

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
    """Serve MCP over standard input and output, or over HTTP.

    The server runs until the client closes the input or a signal arrives.

    Args:
        argv: The arguments. By default, the arguments of the process.

    Returns:
        The exit code: 0 after a normal end, 1 when credentials, pipes or the port are not
        available.

    Raises:
        SystemExit: The code is 2 for invalid arguments or variables, and 0 for ``--help`` and
            ``--version``.
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
    """The settings from the options and the environment."""

    choice: Choice
    ask_above_nc: int | None
    budget_nc: int | None
    capabilities: tuple[str, ...]
    endpoint: Endpoint | None

    @classmethod
    def read(cls, options: argparse.Namespace) -> _Start:
        """Read the options and the environment.

        Args:
            options: The parsed options.

        Raises:
            ValueError: An option or a variable is invalid.
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
            raise ValueError("--allow-remote can be used only with --http")
        return cls(
            choice,
            choose_smaller(os.environ, ASK_ABOVE_VARIABLE, "--ask-above", options.ask_above),
            choose_smaller(os.environ, BUDGET_VARIABLE, "--budget", options.budget),
            tuple(options.capability) if choice.allows_orders else (),
            endpoint,
        )

    def make_server(self, settings: Settings) -> Server[None]:
        """Return a new server.

        Args:
            settings: The agent key and the base URL.

        Raises:
            ValueError: A selected tool is unknown, or no tool is left.
        """
        gc.disable()  # collections would take a tenth of the start, and could free nothing
        from ._orders import Limits
        from ._server import make_server
        from ._services import Services
        from ._tools import TOOLS

        tools = self.choice.select(TOOLS)
        if not tools and not self.capabilities:
            raise ValueError("these options leave no tool to offer")
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
            _say("waiting for an MCP client on standard input; Ctrl-C stops the server")
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
            f"cannot listen on {endpoint.address}: {error.strerror or error}. Choose another"
            " address with --http HOST:PORT; port 0 uses any free port"
        )
        return 1
    server = make_server()
    url = endpoint.url(listener)
    _say(f"serving {url}; Ctrl-C stops the server")
    if endpoint.is_token_new:
        _say(f"each request needs the header Authorization: Bearer {endpoint.token}")
    serve(server, endpoint, listener)
    return 0


def _parser() -> argparse.ArgumentParser:
    import argparse

    from chaojiyuyan_core.redaction import mask_keys

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            super().error(mask_keys(message))  # the message quotes the arguments

    parser = Parser(
        prog=PROGRAM,
        description="An MCP server for the chaojiyuyan capability platform.",
        epilog="The agent key comes from CHAOJIYUYAN_API_KEY or from `chaojiyuyan connect`.",
    )
    _add_limits(parser)
    parser.add_argument(
        "--http",
        metavar="HOST:PORT",
        help="serve streamable HTTP at /mcp instead of standard input and output",
    )
    parser.add_argument(
        "--allow-remote",
        action="store_true",
        help="with --http: allow a host that other machines can reach",
    )
    parser.add_argument("--profile", help="use this profile of the credentials file")
    parser.add_argument("--base-url", help="use the platform at this address")
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    return parser


def _add_limits(parser: argparse.ArgumentParser) -> None:
    """Add the options that limit the offered tools and their orders."""
    parser.add_argument(
        "--read-only",
        action="store_true",
        help=f"offer only tools that create and change nothing ({READ_ONLY_VARIABLE}=1)",
    )
    parser.add_argument(
        "--toolset",
        choices=TOOLSETS,
        help=f"offer only the tools of a caller or of a worker ({TOOLSET_VARIABLE})",
    )
    parser.add_argument(
        "--tool",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help=f"offer only these of the eight tools ({TOOLS_VARIABLE}, separated by commas)",
    )
    parser.add_argument(
        "--capability",
        action="append",
        default=[],
        metavar="KEY",
        help="offer this capability as a separate tool; repeatable",
    )
    parser.add_argument(
        "--ask-above",
        metavar="NC",
        help=f"ask the user before an order above this price in nc ({ASK_ABOVE_VARIABLE})",
    )
    parser.add_argument(
        "--budget",
        metavar="NC",
        help=f"maximum total price in nc of all orders ({BUDGET_VARIABLE})",
    )


def _load_settings(profile: str | None, base_url: str | None) -> Settings:
    """Find the credentials, and print each warning about them as one line."""
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
