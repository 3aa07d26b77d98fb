"""`chaojiyuyan disconnect`: undo `connect`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from chaojiyuyan_cli._exit_codes import EX_OK, EX_USER_ERROR
from chaojiyuyan_cli._options import Command, pass_session

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chaojiyuyan_cli._clients.change import Change
    from chaojiyuyan_cli._clients.locations import McpClient
    from chaojiyuyan_cli._clients.wiring import Wiring
    from chaojiyuyan_cli._failures import Steps
    from chaojiyuyan_cli._session import Session


@click.command("disconnect", cls=Command)
@click.option(
    "--target",
    type=click.Path(path_type=Path),
    help="Remove the server only from this mcp.json, and from no other client.",
)
@click.option("--keep-mcp", is_flag=True, help="Remove the saved key; do not change MCP clients.")
@click.option("--yes", is_flag=True, help="Make the changes without showing them or asking.")
@pass_session
def command(session: Session, target: Path | None, keep_mcp: bool, yes: bool) -> int:
    """Remove the saved key, and remove the MCP server from your clients.

    The server is removed from ~/.claude/mcp.json and from every client that `connect` added it to.
    The key is also removed from the backups of these files. When you answer no, nothing changes,
    and the exit code is 1.
    """
    import os

    from chaojiyuyan_cli._clients.wiring import Wiring
    from chaojiyuyan_cli._failures import Steps
    from chaojiyuyan_cli._login import log_out
    from chaojiyuyan_cli._session import find_home

    if keep_mcp:
        log_out(session)
        return EX_OK
    wiring = Wiring(find_home(), os.environ)
    clients = [wiring.make_target(target)] if target is not None else wiring.list_connected()
    steps = Steps()
    changes = list(_plan(wiring, clients, steps))
    needed = [change for _, change in changes if change.needed]
    if needed and not yes and not _agree(needed):
        click.echo("Aborted; nothing was changed.")
        return EX_USER_ERROR

    log_out(session)
    for client, change in changes:
        with steps.step():
            _apply(wiring, client, change)
    _redact_backups(clients, steps)
    return EX_USER_ERROR if steps.failed else EX_OK


def _plan(
    wiring: Wiring, clients: Iterable[McpClient], steps: Steps
) -> Iterable[tuple[McpClient, Change]]:
    for client in clients:
        with steps.step():
            yield client, wiring.plan_disconnect(client)


def _agree(changes: Iterable[Change]) -> bool:
    from chaojiyuyan_cli._dialogue import make_terminal_dialogue

    dialogue = make_terminal_dialogue(yes=False)
    for change in changes:
        dialogue.say(change.preview)
    return dialogue.ask("Remove the saved key, and make these changes?")


def _apply(wiring: Wiring, client: McpClient, change: Change) -> None:
    from chaojiyuyan_cli._output import escape

    if not change.needed:
        wiring.forget(client)
        click.echo(escape(change.unchanged))
        return
    for line in change.apply().lines:
        click.echo(escape(line))


def _redact_backups(clients: Iterable[McpClient], steps: Steps) -> None:
    """Remove the key from backups that earlier releases made."""
    from chaojiyuyan_cli._clients.locations import CLAUDE_CODE
    from chaojiyuyan_cli._output import escape

    for client in clients:
        if client.name == CLAUDE_CODE:  # it has no backups of ours
            continue
        with steps.step():
            for backup in client.file.redact_backups():
                click.echo(f"Removed the key from the backup {escape(backup)}")
