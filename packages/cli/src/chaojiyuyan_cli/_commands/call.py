"""`chaojiyuyan call`: post a job, and wait for it if told to."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chaojiyuyan_cli._exit_codes import EX_JOB_FAILED, EX_OK
from chaojiyuyan_cli._options import Command, json_option, pass_session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaojiyuyan_cli._session import Session
    from chaojiyuyan_client import Job, NexusClient


@click.command("call", cls=Command)
@click.argument("capability_key")
@click.option("--input", "input_text", metavar="JSON", help="The input, a JSON object; - reads it.")
@click.option(
    "--input-file", type=click.Path(path_type=Path), help="A file that holds the input as JSON."
)
@click.option("--idempotency-key", metavar="KEY", help="A repeat with this key is the same job.")
@click.option("--wait", is_flag=True, help="Wait until the job has ended, and print its output.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=300.0,
    show_default=True,
    help="How long to wait.",
)
@click.option(
    "--save",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Wait, and download the job's artifacts into this folder.",
)
@json_option
@pass_session
def command(
    session: Session,
    capability_key: str,
    input_text: str | None,
    input_file: Path | None,
    idempotency_key: str | None,
    wait: bool,
    timeout: float,
    folder: Path | None,
    as_json: bool,
) -> int:
    """Post a job for a capability.

    Exit code 3 says that the job ended other than succeeded.
    """
    from chaojiyuyan_cli._artifacts import save_artifacts
    from chaojiyuyan_cli._output import echo_json

    payload = _payload(input_text, input_file)
    with session.client() as client:
        job = client.call(capability_key, payload, idempotency_key=idempotency_key)
        with _said_to_go_on(job):
            if not as_json:
                click.echo(f"Job created: {_safe(job.id)}")
                click.echo(f"Status: {_safe(job.status)}")
            waited = wait or folder is not None
            if waited:
                job = _waited(client, job, timeout)
                if not as_json:
                    _show_end(job)
            elif not as_json:
                click.echo(f"Follow it: chaojiyuyan events {_safe(job.id)} --follow")
            if as_json:
                echo_json(job)
            if folder is not None and job.succeeded:
                for path in save_artifacts(client, job, folder):
                    click.echo(f"Saved {_safe(path)}", err=as_json)
    return EX_JOB_FAILED if waited and not job.succeeded else EX_OK


def _payload(text: str | None, file: Path | None) -> dict[str, object]:
    from chaojiyuyan_cli._errors import UserError

    if text is not None and file is not None:
        raise click.UsageError("Give the input by --input or by --input-file, not by both.")
    given: str | bytes = text or ""
    if file is not None:
        given = file.expanduser().read_bytes()
    elif text == "-":
        given = sys.stdin.buffer.read()
    try:
        decoded = given.decode() if isinstance(given, bytes) else given
        payload = json.loads(decoded.removeprefix("\ufeff") or "{}")
    except (ValueError, RecursionError) as error:
        raise UserError(f"input is not valid JSON: {error}") from None
    if not isinstance(payload, dict):
        raise UserError("input JSON must be an object.")
    return payload


def _waited(client: NexusClient, job: Job, timeout: float) -> Job:
    from chaojiyuyan_cli._spinner import Spinner, duration

    status = job.status

    def note(update: Job) -> None:
        nonlocal status
        status = update.status

    with Spinner(lambda elapsed: f"{status}  {duration(elapsed)}"):
        return client.wait(job.id, timeout=timeout, on_update=note)


@contextmanager
def _said_to_go_on(job: Job) -> Iterator[None]:
    """Say at Ctrl-C that the job goes on, and how to find it again."""
    try:
        yield
    except KeyboardInterrupt:
        hint = f"The job goes on, see `chaojiyuyan status {_safe(job.id)}`"
        raise KeyboardInterrupt(hint) from None


def _show_end(job: Job) -> None:
    from chaojiyuyan_cli._output import echo_json

    click.echo(f"Final status: {_safe(job.status)}")
    for label, name in (("Error code", "error_code"), ("Error message", "error_message")):
        if job.get(name):
            click.echo(f"{label}: {_safe(job[name])}")
    if job.succeeded:
        click.echo("Output:")
        echo_json(job.get("output_envelope"))
    for artifact in job.artifacts:
        kind = artifact.get("mime_type") or artifact.get("mime") or artifact.get("kind")
        uri = _safe(artifact.get("artifact_uri"))
        click.echo(f"Artifact: {_safe(kind)}  {uri if len(uri) < 200 else uri[:80] + '…'}")


def _safe(value: object) -> str:
    from chaojiyuyan_cli._output import escape

    return escape(value)
