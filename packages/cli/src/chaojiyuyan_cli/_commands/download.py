"""`chaojiyuyan download`: download the artifacts of a job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from chaojiyuyan_cli._options import Command, clobber_option, job_argument, pass_session

if TYPE_CHECKING:
    from chaojiyuyan_cli._session import Session


@click.command("download", cls=Command)
@job_argument
@click.option(
    "--save",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    show_default="the current folder",
    help="Folder for the files.",
)
@clobber_option
@pass_session
def command(session: Session, job_id: str, folder: Path, clobber: bool) -> None:
    """Download the artifacts of a job."""
    from chaojiyuyan_cli._artifacts import save_artifacts
    from chaojiyuyan_cli._output import escape

    with session.client() as client:
        job = client.get_job(job_id)
        if not job.artifacts:
            click.echo(f"Job {escape(job.id)} has no artifacts.")
        for path in save_artifacts(client, job, folder, overwrite=clobber):
            click.echo(f"Saved {escape(path)}")
