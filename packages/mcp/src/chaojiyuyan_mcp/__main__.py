"""The command: ``chaojiyuyan-mcp``, or ``python -m chaojiyuyan_mcp``."""

from __future__ import annotations

import gc
import os
import sys
import warnings
from typing import TYPE_CHECKING, NoReturn

from ._version import __version__
from .choice import READ_ONLY_VARIABLE, TOOLS_VARIABLE, TOOLSET_VARIABLE, TOOLSETS, Choice

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from chaojiyuyan_core.settings import Settings

PROGRAM = "chaojiyuyan-mcp"


def main(argv: Sequence[str] | None = None) -> int:
    """Serve MCP over standard input and output until the client or a signal ends it.

    :param argv: the arguments, those of the process by default.
    :returns: the exit code: 0 at the end, 1 where there are no credentials or no pipes.
    :raises SystemExit: 2 for arguments that make no sense, 0 after ``--help`` and ``--version``.
    """
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        choice = Choice.of(
            os.environ, read_only=options.read_only, toolset=options.toolset, names=options.tool
        )
    except ValueError as error:
        parser.error(str(error))
    try:
        settings = _settings(options.profile, options.base_url)
    except ValueError as error:
        _say(str(error))
        return 1

    from .life import end_at_once_until_running, run
    from .stdio import claim_pipes

    end_at_once_until_running()
    try:
        if os.isatty(0):
            _say("waiting for an MCP client to speak on standard input; Ctrl-C ends it")
        source, sink = claim_pipes()
    except OSError as error:
        _say(f"standard input and output must be open: {error}")
        return 1
    gc.disable()  # what is loaded stays: to look for garbage in it would take a tenth of the start

    from .server import make_server
    from .session import Session
    from .tools import TOOLS

    try:
        tools = choice.among(TOOLS)
    except ValueError as error:
        parser.error(str(error))
    server = make_server(tools, Session(settings))
    gc.freeze()
    gc.enable()
    run(server, source, sink)
    return 0


def _parser() -> argparse.ArgumentParser:
    import argparse

    from chaojiyuyan_core.masking import mask_keys

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            super().error(mask_keys(message))  # it quotes what was typed

    parser = Parser(
        prog=PROGRAM,
        description="A stdio MCP server for the chaojiyuyan capability platform.",
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
        help=f"offer these tools only ({TOOLS_VARIABLE}, separated by commas)",
    )
    parser.add_argument("--profile", help="use this profile of the credentials file")
    parser.add_argument("--base-url", help="where the platform is")
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    return parser


def _settings(profile: str | None, base_url: str | None) -> Settings:
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


if __name__ == "__main__":
    sys.exit(main())
