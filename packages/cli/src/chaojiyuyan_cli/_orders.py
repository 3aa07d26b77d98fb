"""Show a job from its order to its end, for `call` and `rerun`."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from ._exit_codes import EX_JOB_FAILED, EX_OK
from ._output import echo_json, escape

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from chaojiyuyan_client import Job, NexusClient

_MAX_URI = 200  # maximum characters of an artifact's address that is shown whole
_SHOWN_URI = 80  # characters shown of a longer address


@dataclass(frozen=True)
class FollowOptions:
    """The options for the time after an order.

    Args:
        wait: Whether to wait for the end of the job.
        timeout: Maximum seconds to wait.
        folder: The folder for the artifacts; None does not download them.
        clobber: Whether to replace existing files.
        as_json: Whether to print one JSON object and nothing else.
    """

    wait: bool
    timeout: float
    folder: Path | None
    clobber: bool
    as_json: bool


def follow_order(client: NexusClient, job: Job, options: FollowOptions) -> int:
    """Show a new job, and wait for it when the options say so.

    Args:
        client: Reads the job.
        job: The new job.
        options: The options of the user.

    Returns:
        The exit code.

    Raises:
        JobTimeout: The job did not end in time.
        KeyboardInterrupt: The user pressed Ctrl-C. The message names the job, which continues.
    """
    waits = options.wait or options.folder is not None
    with _name_on_interrupt(job):
        if not options.as_json:
            click.echo(f"Job created: {escape(job.id)}")
            click.echo(f"Status: {escape(job.status)}")
        if waits:
            job = _wait(client, job, options.timeout)
            if not options.as_json:
                _show_end(job)
        elif not options.as_json:
            click.echo(f"Follow it: chaojiyuyan events {escape(job.id)} --follow")
        if options.as_json:
            echo_json(job)
        if options.folder is not None and job.succeeded:
            from ._artifacts import save_artifacts

            paths = save_artifacts(client, job, options.folder, overwrite=options.clobber)
            for path in paths:
                click.echo(f"Saved {escape(path)}", err=options.as_json)
    return EX_JOB_FAILED if waits and not job.succeeded else EX_OK


def _wait(client: NexusClient, job: Job, timeout: float) -> Job:
    from ._spinner import Spinner, describe_duration

    status = job.status

    def note(update: Job) -> None:
        nonlocal status
        status = update.status

    with Spinner(lambda elapsed: f"{status}  {describe_duration(elapsed)}"):
        return client.wait(job.id, timeout=timeout, on_update=note)


@contextmanager
def _name_on_interrupt(job: Job) -> Iterator[None]:
    """After Ctrl-C, say that the job continues, and how to find it."""
    try:
        yield
    except KeyboardInterrupt:
        hint = f"The job continues, see `chaojiyuyan status {escape(job.id)}`"
        raise KeyboardInterrupt(hint) from None


def _show_end(job: Job) -> None:
    click.echo(f"Final status: {escape(job.status)}")
    for label, name in (("Error code", "error_code"), ("Error message", "error_message")):
        if job.get(name):
            click.echo(f"{label}: {escape(job[name])}")
    if job.succeeded:
        click.echo("Output:")
        echo_json(job.get("output_envelope"))
    for artifact in job.artifacts:
        kind = artifact.get("mime_type") or artifact.get("mime") or artifact.get("kind")
        uri = escape(artifact.get("artifact_uri"))
        shown = uri if len(uri) < _MAX_URI else uri[:_SHOWN_URI] + "…"
        click.echo(f"Artifact: {escape(kind)}  {shown}")
