"""`chaojiyuyan events`: list the events of a job."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from chaojiyuyan_cli._options import Command, job_argument, json_option, pass_session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaojiyuyan_cli._session import Session
    from chaojiyuyan_client import NexusClient
    from chaojiyuyan_core.models import JobEvent

_INTERVAL = 1.0  # seconds


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
        for event in _following(client, job_id) if follow else client.job_events(job_id):
            if as_json:
                echo_json(event, indent=None)
            else:
                when, kind = event.get("created_at"), event.get("event_type")
                payload = event.get("payload") or ""
                details = json.dumps(payload, ensure_ascii=False) if payload else ""
                click.echo(f"{escape(when)}  {escape(kind):<16}  {escape(details)}".rstrip())


def _following(client: NexusClient, job_id: str) -> Iterator[JobEvent]:
    shown = 0
    while True:
        done = client.get_job(job_id).done  # read first, so that no event is missed
        events = list(client.job_events(job_id))
        yield from events[shown:]
        shown = len(events)
        if done:
            return
        time.sleep(_INTERVAL)
