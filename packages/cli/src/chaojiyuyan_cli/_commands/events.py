"""`chaojiyuyan events`: list the events of a job."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from chaojiyuyan_cli._options import Command, job_argument, json_option, pass_session

if TYPE_CHECKING:
    from chaojiyuyan_cli._session import Session


@click.command("events", cls=Command)
@job_argument
@click.option("--follow", "-f", is_flag=True, help="Print new events until the job ends.")
@json_option
@pass_session
def command(session: Session, job_id: str, follow: bool, as_json: bool) -> None:
    """List the events of a job, oldest first.

    With --follow, --json prints one object per line.
    """
    import json

    from chaojiyuyan_cli._output import echo_json, escape

    with session.client() as client:
        if as_json and not follow:
            echo_json({"events": list(client.job_events(job_id))})
            return
        events = client.get_job(job_id).follow() if follow else client.job_events(job_id)
        for event in events:
            if as_json:
                echo_json(event, indent=None)
            else:
                when, kind = event.get("created_at"), event.get("event_type")
                payload = event.get("payload") or ""
                details = json.dumps(payload, ensure_ascii=False) if payload else ""
                click.echo(f"{escape(when)}  {escape(kind):<16}  {escape(details)}".rstrip())
