"""`chaojiyuyan login`: `connect` without the MCP clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from chaojiyuyan_cli._options import Command, key_options, pass_session

if TYPE_CHECKING:
    from chaojiyuyan_cli._session import Session


@click.command("login", cls=Command)
@key_options
@pass_session
def command(session: Session, api_key: str | None, client_name: str, no_browser: bool) -> None:
    """Log in and save the key; MCP clients are left alone."""
    from chaojiyuyan_cli._login import base_url_for_login, log_in

    base_url, source = base_url_for_login(session)
    click.echo(f"Base URL: {base_url} ({source})")
    log_in(session, api_key, base_url, client_name, browser=not no_browser)
