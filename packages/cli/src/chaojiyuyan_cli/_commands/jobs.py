"""`chaojiyuyan jobs`: the caller's own jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from chaojiyuyan_cli._options import Command, json_option, pass_session

if TYPE_CHECKING:
    from chaojiyuyan_cli._session import Session
    from chaojiyuyan_core.models import JobStatus


@click.command("jobs", cls=Command)
@click.option("--status", metavar="STATUS", help="Only jobs that stand so, such as failed.")
@click.option("--capability", metavar="KEY", help="Only jobs for this capability.")
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="How many at most.",
)
@json_option
@pass_session
def command(
    session: Session, status: JobStatus | None, capability: str | None, limit: int, as_json: bool
) -> None:
    """List the jobs that you have posted, newest first."""
    from chaojiyuyan_cli._output import echo_json, echo_table

    with session.client() as client:
        rows = list(client.jobs(status=status, capability_key=capability, limit=limit))
    if as_json:
        echo_json({"jobs": rows})
    elif not rows:
        click.echo("No jobs.")
    else:
        names = ("id", "status", "capability_key", "price_nc", "created_at")
        cells = [[row.get(name) for name in names] for row in rows]
        echo_table(["JOB", "STATUS", "CAPABILITY", "PRICE (nc)", "CREATED"], cells)
