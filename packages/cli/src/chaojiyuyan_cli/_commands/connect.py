"""`chaojiyuyan connect`: a key, the credentials file, and the MCP clients."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from chaojiyuyan_cli._exit_codes import EX_OK, EX_USER_ERROR
from chaojiyuyan_cli._options import Command, key_options, pass_session

if TYPE_CHECKING:
    from chaojiyuyan_cli._clients.wiring import Server, Wiring
    from chaojiyuyan_cli._session import Session

_ALL = "all"


@click.command("connect", cls=Command)
@key_options
@click.option(
    "--target",
    type=click.Path(path_type=Path),
    help="Write this mcp.json, and no other client's file.",
)
@click.option(
    "--client",
    "clients",
    multiple=True,
    type=click.Choice(["claude-desktop", "cursor", "vscode", _ALL]),
    help="Wire this client up too; repeatable. `all`: those that are installed.",
)
@click.option("--no-key", is_flag=True, help="Keep the key out of every file but the credentials.")
@click.option("--yes", is_flag=True, help="Write without showing the change and asking.")
@click.option("--dry-run", is_flag=True, help="Show what would be written; change and ask nothing.")
@pass_session
def command(
    session: Session,
    api_key: str | None,
    client_name: str,
    no_browser: bool,
    target: Path | None,
    clients: tuple[str, ...],
    no_key: bool,
    yes: bool,
    dry_run: bool,
) -> int:
    """Log in, and register the MCP server with your clients.

    Takes a key or logs in by your browser, saves the key, and writes the MCP server into
    ~/.claude/mcp.json, into Claude Code where `claude` is on PATH, and into each --client.
    """
    import os

    from chaojiyuyan_cli._clients.wiring import Server, Wiring, server_command, terminal_dialogue
    from chaojiyuyan_cli._login import base_url_for_login, log_in
    from chaojiyuyan_cli._session import home_folder
    from chaojiyuyan_core.credentials import DEFAULT_PROFILE, profile_name

    if target is not None and clients:
        raise click.UsageError("--target writes one file: give it without --client")
    base_url, source = base_url_for_login(session)
    click.echo(f"Base URL: {base_url} ({source})")
    if dry_run:
        key = _pretended_key(session, api_key)
    else:
        key = log_in(session, api_key, base_url, client_name, browser=not no_browser)

    env = {"HEBING_BASE_URL": base_url}
    profile = profile_name(session.profile)
    if profile != DEFAULT_PROFILE:
        env["CHAOJIYUYAN_PROFILE"] = profile
    server = Server(server_command(), env, None if no_key else key)
    wiring = Wiring(home_folder(), os.environ, terminal_dialogue(yes=yes, dry_run=dry_run))
    if target is not None:
        wiring.connect(wiring.file(target), server)
        complete = True
    else:
        complete = _connect_all(wiring, server, clients)
    click.echo()
    if dry_run:
        click.echo("Dry run — no changes written.")
    else:
        _say_what_next()
    return EX_OK if complete else EX_USER_ERROR


def _pretended_key(session: Session, api_key: str | None) -> str:
    """The key that a dry run shows, masked; it reads no input and asks no server."""
    from chaojiyuyan_cli._login import FROM_INPUT, read_key

    if api_key is None or api_key == FROM_INPUT:
        how = "log in by device login" if api_key is None else "read the key from standard input"
        click.echo(f"Would {how} (dry run; credentials not written).")
        return "…"
    key = read_key(api_key)
    session.keep_secret(key)
    click.echo("Using provided Agent KEY (dry run; credentials not written).")
    return key


def _connect_all(wiring: Wiring, server: Server, wanted: tuple[str, ...]) -> bool:
    """Wire up all that is wanted, and list what there is; False where one of them failed."""
    from chaojiyuyan_cli._failures import Steps

    steps = Steps()
    found: dict[str, str] = {}
    for client in (wiring.mcp_json, wiring.claude_code, *wiring.file_clients.values()):
        optional = client.name in wiring.file_clients
        if optional and not (client.name in wanted or (_ALL in wanted and client.installed)):
            hint = f"found; `chaojiyuyan connect --client {client.name}` adds it"
            found[client.label] = hint if client.installed else "not found"
            continue
        found[client.label] = "failed"
        with steps.step():
            found[client.label] = wiring.connect(client, server)
    click.echo("\nMCP clients:")
    for label, state in found.items():
        click.echo(f"  {label:<19} {state}")
    return not steps.failed


def _say_what_next() -> None:
    from importlib.util import find_spec

    click.echo("Done; restart your MCP client to load the server. Next:")
    click.echo("  chaojiyuyan capabilities       # what you can call")
    click.echo('  chaojiyuyan call CAP --input \'{"text": "hi"}\' --wait')
    if find_spec("chaojiyuyan_mcp") is None:
        click.echo("\nTip: for MCP clients to start the server, install its package:")
        click.echo("  pip install 'chaojiyuyan-sdk[mcp]'")
