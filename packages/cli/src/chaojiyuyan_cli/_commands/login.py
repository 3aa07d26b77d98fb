"""`chaojiyuyan login`: get a key and save it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from chaojiyuyan_cli._options import Command, login_options, pass_session

if TYPE_CHECKING:
    from chaojiyuyan_cli._login import LoginOptions
    from chaojiyuyan_cli._session import Session


@click.command("login", cls=Command)
@login_options
@pass_session
def command(session: Session, login: LoginOptions) -> None:
    """Log in and save the key; do not change MCP clients."""
    from chaojiyuyan_cli._login import base_url_for_login, log_in

    base_url, source = base_url_for_login(session)
    click.echo(f"Base URL: {base_url} ({source})")
    log_in(session, login, base_url)
