"""`chaojiyuyan mcp-server`: run the MCP server of chaojiyuyan-mcp."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from chaojiyuyan_cli._options import Command, pass_session

if TYPE_CHECKING:
    from chaojiyuyan_cli._session import Session


@click.command(
    "mcp-server",
    cls=Command,
    # The server's own command parses the options, also --help.
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@pass_session
def command(session: Session, arguments: tuple[str, ...]) -> int:
    """Serve MCP over standard input and output."""
    if find_spec("chaojiyuyan_mcp") is None:
        from chaojiyuyan_cli._errors import UserError

        raise UserError("The MCP server is not installed: pip install 'chaojiyuyan-sdk[mcp]'")
    from chaojiyuyan_mcp import main

    given = {"--profile": session.profile, "--base-url": session.base_url}
    common = [part for name, value in given.items() if value for part in (name, value)]
    return main([*common, *arguments])
