"""`chaojiyuyan connect`: get a key, save it, and add the MCP server to the MCP clients."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from chaojiyuyan_cli._clients import NAMED_CLIENTS
from chaojiyuyan_cli._exit_codes import EX_OK, EX_USER_ERROR
from chaojiyuyan_cli._options import Command, login_options, pass_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chaojiyuyan_cli._clients.change import Dialogue, Outcome
    from chaojiyuyan_cli._clients.locations import McpClient
    from chaojiyuyan_cli._clients.wiring import Server, Wiring
    from chaojiyuyan_cli._login import LoginOptions
    from chaojiyuyan_cli._session import Session

_ALL = "all"


@click.command("connect", cls=Command)
@login_options
@click.option(
    "--target",
    type=click.Path(path_type=Path),
    help="Change only this mcp.json, and no other client.",
)
@click.option(
    "--client",
    "clients",
    multiple=True,
    type=click.Choice([*NAMED_CLIENTS, _ALL]),
    help="Also connect this client; repeatable. `all` connects every installed client.",
)
@click.option(
    "--with-key/--no-key",
    default=None,
    help="Write the key into the files of all clients, or of none. A server without it reads the"
    " credentials file.  [default: only ~/.claude/mcp.json and --target]",
)
@click.option("--yes", is_flag=True, help="Make the changes without showing them or asking.")
@click.option(
    "--dry-run", is_flag=True, help="Show the changes without writing, asking or sending anything."
)
@pass_session
def command(
    session: Session,
    login: LoginOptions,
    target: Path | None,
    clients: tuple[str, ...],
    with_key: bool | None,
    yes: bool,
    dry_run: bool,
) -> int:
    """Log in, and register the MCP server with your clients.

    Uses the given key or logs in with your browser, and saves the key. Then registers the MCP
    server in ~/.claude/mcp.json, in Claude Code when `claude` is on PATH, and in each --client.
    """
    import os

    from chaojiyuyan_cli._clients.wiring import Server, Wiring, find_server_command
    from chaojiyuyan_cli._dialogue import make_terminal_dialogue
    from chaojiyuyan_cli._login import base_url_for_login, log_in
    from chaojiyuyan_cli._session import find_home
    from chaojiyuyan_core.credentials import DEFAULT_PROFILE, profile_name

    if target is not None and clients:
        raise click.UsageError("--target changes one file only. Use it without --client.")
    base_url, source = base_url_for_login(session)
    click.echo(f"Base URL: {base_url} ({source})")
    key = _preview_login(session, login.api_key) if dry_run else log_in(session, login, base_url)

    env = {"HEBING_BASE_URL": base_url}
    profile = profile_name(session.profile)
    if profile != DEFAULT_PROFILE:
        env["CHAOJIYUYAN_PROFILE"] = profile
    server = Server(find_server_command(), env, key, key_in_files=with_key)
    wiring = Wiring(find_home(), os.environ)
    connector = _Connector(wiring, server, make_terminal_dialogue(yes=yes, dry_run=dry_run))
    if target is not None:
        connector.connect(wiring.make_target(target))
    else:
        connector.connect_all(clients)
    click.echo()
    if dry_run:
        click.echo("Dry run — no changes written.")
    else:
        _say_what_next(connector.is_restart_needed)
    return EX_USER_ERROR if connector.failed else EX_OK


def _preview_login(session: Session, api_key: str | None) -> str:
    """Return the key for the preview, without reading input or sending requests."""
    from chaojiyuyan_cli._login import FROM_INPUT, read_key

    if api_key is None or api_key == FROM_INPUT:
        how = "log in by device login" if api_key is None else "read the key from standard input"
        click.echo(f"Would {how} (dry run; credentials not written).")
        return "…"
    key = read_key(api_key)
    session.keep_secret(key)
    click.echo("Using provided Agent KEY (dry run; credentials not written).")
    return key


class _Connector:
    """Connects the clients in order; a failure does not stop the next client.

    Args:
        wiring: The clients of this machine.
        server: The MCP server.
        dialogue: How changes are shown and agreed to.
    """

    def __init__(self, wiring: Wiring, server: Server, dialogue: Dialogue) -> None:
        from chaojiyuyan_cli._failures import Steps

        self._wiring, self._server, self._dialogue = wiring, server, dialogue
        self._steps = Steps()
        self._outcomes: list[Outcome] = []

    @property
    def failed(self) -> bool:
        """Whether a client could not be connected."""
        return self._steps.failed

    @property
    def is_restart_needed(self) -> bool:
        """Whether a client has been changed."""
        return any(outcome.value == "applied" for outcome in self._outcomes)

    def connect(self, client: McpClient) -> str:
        """Connect a client, and return the outcome in a few words.

        Args:
            client: The client.
        """
        state = "failed"
        with self._steps.step():
            change = self._wiring.plan_connect(client, self._server)
            if change is None:
                return "not found"
            outcome, _ = self._dialogue.carry_out(change)
            self._outcomes.append(outcome)
            state = {
                "applied": "connected",
                "unchanged": "connected already",
                "previewed": "would be connected",
                "declined": "left as it was",
            }[outcome.value]
        if state == "connected":
            _warn_of_readers(client)
        return state

    def connect_all(self, wanted: Sequence[str]) -> None:
        """Connect the default clients and the wanted ones, and list the state of all clients.

        Args:
            wanted: The values of ``--client``.
        """
        found: dict[str, str] = {}
        for client in self._wiring.clients:
            optional = client.name in self._wiring.named
            if optional and not (client.name in wanted or (_ALL in wanted and client.is_installed)):
                hint = f"found; `chaojiyuyan connect --client {client.name}` adds it"
                found[client.label] = hint if client.is_installed else "not found"
            else:
                found[client.label] = self.connect(client)
        click.echo("\nMCP clients:")
        for label, state in found.items():
            click.echo(f"  {label:<19} {state}")


def _warn_of_readers(client: McpClient) -> None:
    """Warn when other users of this machine can read the key in a client's file."""
    import shlex

    from chaojiyuyan_cli._clients.exposure import find_exposed_key
    from chaojiyuyan_cli._output import escape

    if find_exposed_key(client):
        click.echo(
            f"Warning: other users of this machine can read the key in {escape(client.path)}:"
            f" chmod go-rwx {escape(shlex.quote(str(client.path)))}",
            err=True,
        )


def _say_what_next(restart: bool) -> None:
    from importlib.util import find_spec

    if restart:
        click.echo("Done; restart your MCP client to load the server. Next:")
    else:
        click.echo("The key is saved; no MCP client was changed. Next:")
    click.echo("  chaojiyuyan capabilities       # what you can call")
    click.echo('  chaojiyuyan call CAP --input \'{"text": "hi"}\' --wait')
    if find_spec("chaojiyuyan_mcp") is None:
        click.echo("\nTip: MCP clients cannot start the server before its package is installed:")
        click.echo("  pip install 'chaojiyuyan-sdk[mcp]'")
