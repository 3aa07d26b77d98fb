"""`chaojiyuyan rerun`: order the input of a job again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from chaojiyuyan_cli._options import Command, follow_options, job_argument, pass_session

if TYPE_CHECKING:
    from chaojiyuyan_cli._orders import FollowOptions
    from chaojiyuyan_cli._session import Session
    from chaojiyuyan_client import Job


@click.command("rerun", cls=Command)
@job_argument
@click.option("--edit", is_flag=True, help="Edit the input first, in $VISUAL or $EDITOR.")
@follow_options
@pass_session
def command(session: Session, job_id: str, edit: bool, follow: FollowOptions) -> int:
    """Order a job's input again, as a new job.

    The new job has its own price. With --edit, nothing is ordered and the exit code is 1 when the
    input is unchanged, the JSON is invalid or the editor fails.
    """
    from chaojiyuyan_cli._orders import follow_order

    with session.client() as client:
        original = client.get_job(job_id)
        payload = _read_input(original)
        if edit:
            from chaojiyuyan_cli._editor import edit_input

            payload = edit_input(payload)
        # The client generates a new idempotency key, so the platform creates a new job.
        job = client.call(original["capability_key"], payload, validate=True)
        return follow_order(client, job, follow)


def _read_input(job: Job) -> dict[str, object]:
    from chaojiyuyan_cli._errors import UserError

    payload = job.get("input_envelope")
    if not isinstance(payload, dict) or not isinstance(job.get("capability_key"), str):
        raise UserError(f"The platform did not send the input of job {job.id}.")
    return payload
