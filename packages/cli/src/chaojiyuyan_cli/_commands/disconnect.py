"""`chaojiyuyan disconnect`: what `connect` did, undone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from chaojiyuyan_cli._exit_codes import EX_OK, EX_USER_ERROR
from chaojiyuyan_cli._options import Command, pass_session

if TYPE_CHECKING:
    from chaojiyuyan_cli._session import Session


@click.command("disconnect", cls=Command)
@click.option(
    "--target",
    type=click.Path(path_type=Path),
    help="Take the server out of this mcp.json, and no other client's file.",
)
@click.option("--keep-mcp", is_flag=True, help="Clear the credentials, leave the MCP clients.")
@click.option("--yes", is_flag=True, help="Write without showing the change and asking.")
@pass_session
def command(session: Session, target: Path | None, keep_mcp: bool, yes: bool) -> int:
    """Forget the key, and take the MCP server out of your clients.

    It is taken out of ~/.claude/mcp.json and of every client that `connect` put it into.
    """
    import os

    from chaojiyuyan_cli._clients.wiring import Wiring, terminal_dialogue
    from chaojiyuyan_cli._failures import Steps
    from chaojiyuyan_cli._login import log_out
    from chaojiyuyan_cli._session import home_folder

    log_out(session)
    if keep_mcp:
        return EX_OK
    wiring = Wiring(home_folder(), os.environ, terminal_dialogue(yes=yes))
    clients = [wiring.file(target)] if target is not None else wiring.connected()
    steps = Steps()
    for client in clients:
        with steps.step():
            wiring.disconnect(client)
    return EX_USER_ERROR if steps.failed else EX_OK
