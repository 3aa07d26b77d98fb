"""`chaojiyuyan logout`: remove the saved key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from chaojiyuyan_cli._options import Command, pass_session

if TYPE_CHECKING:
    from chaojiyuyan_cli._session import Session


@click.command("logout", cls=Command)
@pass_session
def command(session: Session) -> None:
    """Remove the saved key; do not change MCP clients."""
    from chaojiyuyan_cli._login import log_out

    log_out(session)
