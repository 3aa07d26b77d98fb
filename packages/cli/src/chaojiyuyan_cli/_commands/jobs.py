"""`chaojiyuyan jobs`: list the caller's own jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import click

from chaojiyuyan_cli._options import Command, capability_option, pass_session
from chaojiyuyan_core.models import JobStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from chaojiyuyan_cli._session import Session
    from chaojiyuyan_client import Job

_COLUMNS = {
    "JOB": "id",
    "STATUS": "status",
    "CAPABILITY": "capability_key",
    "PRICE (nc)": "price_nc",
    "CREATED": "created_at",
}


@click.command("jobs", cls=Command)
@click.option("--status", type=click.Choice(get_args(JobStatus)), help="Filter by status.")
@capability_option
@click.option(
    "--since",
    metavar="TIME",
    help="Filter by the time of creation: a length such as 30min, 2h or 7d, or an ISO 8601 date.",
)
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Maximum number of jobs.",
)
@click.option(
    "--json",
    "fields",
    metavar="[FIELDS]",
    is_flag=False,
    flag_value="",
    help="Print one JSON object and nothing else. FIELDS, such as id,status, selects fields.",
)
@pass_session
def command(
    session: Session,
    status: JobStatus | None,
    capability_key: str | None,
    since: str | None,
    limit: int,
    fields: str | None,
) -> None:
    """List your jobs, newest first."""
    from datetime import datetime, timezone
    from itertools import islice

    from chaojiyuyan_cli._ages import describe_age, parse_since
    from chaojiyuyan_cli._output import echo_json
    from chaojiyuyan_cli._table import echo_table

    now = datetime.now(timezone.utc)
    try:
        start = None if since is None else parse_since(since, now)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="'--since'") from None
    with session.client() as client:
        jobs = client.jobs(status=status, capability_key=capability_key)
        rows = list(islice(jobs if start is None else _take_since(jobs, start), limit))
    if fields is not None:
        echo_json({"jobs": _select(rows, fields)})
    elif not rows:
        click.echo("No jobs.")
    else:
        cells = [
            [
                describe_age(row.get(name), now) if name == "created_at" else row.get(name)
                for name in _COLUMNS.values()
            ]
            for row in rows
        ]
        echo_table([*_COLUMNS], cells)


def _take_since(jobs: Iterable[Job], start: datetime) -> Iterator[Job]:
    """Yield jobs, newest first, until one was created before `start`."""
    from chaojiyuyan_core.times import parse_iso

    for job in jobs:
        created = parse_iso(job.get("created_at"))
        if created is not None and created < start:
            return
        yield job


def _select(rows: list[Job], fields: str) -> list[object]:
    names = [name for name in fields.replace(" ", "").split(",") if name]
    if not names:
        return [*rows]
    known = {name for row in rows for name in row}
    unknown = [name for name in names if rows and name not in known]
    if unknown:
        raise click.BadParameter(
            f"no job has {', '.join(unknown)}. Fields: {', '.join(sorted(known))}",
            param_hint="'--json'",
        )
    return [{name: row.get(name) for name in names} for row in rows]
