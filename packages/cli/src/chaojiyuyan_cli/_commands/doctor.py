"""`chaojiyuyan doctor`: check that everything works, and say how to repair it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from chaojiyuyan_cli._exit_codes import EX_OK, EX_USER_ERROR
from chaojiyuyan_cli._options import Command, json_option, pass_session

if TYPE_CHECKING:
    from chaojiyuyan_cli._session import Session

_MARKS = {
    "ok": ("✓", "+", "green"),
    "warning": ("!", "!", "yellow"),
    "failed": ("✗", "x", "red"),
    "absent": ("–", "-", "bright_black"),
}


@click.command("doctor", cls=Command)
@json_option
@pass_session
def command(session: Session, as_json: bool) -> int:
    """Check that everything works, and say how to repair it.

    Checks the installation, the credentials, the platform and the MCP clients. Exit code 1 means
    that a check failed.
    """
    import os
    import sys
    from dataclasses import asdict

    from chaojiyuyan_cli._checks import run_checks
    from chaojiyuyan_cli._clients.wiring import Wiring
    from chaojiyuyan_cli._output import choose_symbol, echo_json, escape, use_color
    from chaojiyuyan_cli._session import find_home
    from chaojiyuyan_core.redaction import mask_keys

    checks = []
    wiring = Wiring(find_home(), os.environ)
    for check in run_checks(session, wiring):
        checks.append(check)
        if as_json:
            continue
        symbol, plain, color = _MARKS[check.status]
        mark = choose_symbol(symbol, plain, sys.stdout)
        styled = click.style(mark, fg=color) if use_color(sys.stdout) else mark
        click.echo(f"{styled} {check.name:<19} {escape(mask_keys(check.detail))}")
        if check.remedy and check.status != "ok":
            arrow = choose_symbol("→", "->", sys.stdout)
            click.echo(f"  {'':<19} {arrow} {escape(check.remedy)}")
    failed = any(check.status == "failed" for check in checks)
    if as_json:
        rows = [{**asdict(check), "detail": mask_keys(check.detail)} for check in checks]
        echo_json({"ok": not failed, "checks": rows})
    return EX_USER_ERROR if failed else EX_OK
