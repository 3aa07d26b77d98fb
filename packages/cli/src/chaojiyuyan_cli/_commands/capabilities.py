"""`chaojiyuyan capabilities`: the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from chaojiyuyan_cli._options import Command, json_option, pass_session

if TYPE_CHECKING:
    from chaojiyuyan_cli._session import Session


@click.command("capabilities", cls=Command)
@click.option("--category", metavar="NAME", help="Only capabilities of this category.")
@json_option
@pass_session
def command(session: Session, category: str | None, as_json: bool) -> None:
    """List what can be called, and what it costs."""
    from chaojiyuyan_cli._output import echo_json, echo_table

    with session.client() as client:
        rows = client.capabilities(category=category)
    if as_json:
        echo_json({"capabilities": rows})
    elif not rows:
        click.echo("No capabilities published.")
    else:
        names = ("capability_key", "price_nc", "name")
        cells = [[row.get(name) for name in names] for row in rows]
        echo_table(["CAPABILITY", "PRICE (nc)", "NAME"], cells)
