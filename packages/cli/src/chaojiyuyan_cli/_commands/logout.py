"""`chaojiyuyan logout`: the saved key is forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from chaojiyuyan_cli._options import Command, pass_session

if TYPE_CHECKING:
    from chaojiyuyan_cli._session import Session


@click.command("logout", cls=Command)
@pass_session
def command(session: Session) -> None:
    """Forget the saved key; leave MCP clients alone."""
    from chaojiyuyan_cli._login import log_out

    log_out(session)
