"""`chaojiyuyan batch`: order a job for each line of a file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chaojiyuyan_cli._exit_codes import EX_JOB_FAILED, EX_OK
from chaojiyuyan_cli._options import (
    POSITIVE_SECONDS,
    Command,
    capability_argument,
    pass_session,
)

if TYPE_CHECKING:
    from chaojiyuyan_cli._batch.run import BatchOptions
    from chaojiyuyan_cli._session import Session

_DEFAULT_CONCURRENCY = 16


@click.command("batch", cls=Command)
@capability_argument
@click.argument("inputs", metavar="INPUTS", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--output",
    metavar="RESULTS",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="File for the results, one JSON object per line. An existing file is continued.",
)
@click.option(
    "--concurrency",
    metavar="N",
    type=click.IntRange(min=1),
    default=_DEFAULT_CONCURRENCY,
    show_default=True,
    help="Maximum number of open jobs.",
)
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=POSITIVE_SECONDS,
    default=300.0,
    show_default=True,
    help="Maximum time to wait for each job. The job continues, and the next run waits again.",
)
@click.option(
    "--idempotency-prefix",
    "prefix",
    metavar="NAME",
    help="Name of the batch, for its idempotency keys.  [default: a hash of the path of INPUTS]",
)
@click.option("--retry-failed", is_flag=True, help="Order failed lines of earlier runs again.")
@pass_session
def command(
    session: Session,
    capability_key: str,
    inputs: Path,
    output: Path,
    concurrency: int,
    timeout: float,
    prefix: str | None,
    retry_failed: bool,
) -> int:
    """Order a job for each line of INPUTS, a file of JSON objects.

    A second run with the same files resumes and orders nothing twice. Each result is a JSON object
    {"line", "status", "output" or "error", "job_id", "price_nc"}; the results are in the order of
    completion. Exit code 3 means that a line failed.
    """
    from chaojiyuyan_cli._batch.run import BatchOptions, make_prefix

    if prefix is not None and not prefix.strip():
        raise click.BadParameter("is blank", param_hint="'--idempotency-prefix'")
    options = BatchOptions(
        capability_key, concurrency, timeout, prefix or make_prefix(inputs), retry_failed
    )
    return _run(session, options, inputs, output)


def _run(session: Session, options: BatchOptions, inputs: Path, output: Path) -> int:
    from chaojiyuyan_cli._batch.lines import count_lines
    from chaojiyuyan_cli._batch.progress import Progress
    from chaojiyuyan_cli._batch.results import open_results
    from chaojiyuyan_cli._batch.run import run_batch
    from chaojiyuyan_cli._catalog import suggest_on_unknown
    from chaojiyuyan_cli._errors import UserError
    from chaojiyuyan_cli._spinner import Spinner

    if not inputs.is_file():
        raise UserError(f"{inputs} is not a file. Name a file with a JSON object on each line.")
    if output.exists() and output.samefile(inputs):
        raise UserError("INPUTS and --output are the same file. Name another --output.")
    total = count_lines(inputs)
    started = time.monotonic()
    with (
        session.client() as client,
        inputs.open("rb") as file,
        open_results(output, total) as results,
    ):
        outcomes = results.outcomes
        failed = 0 if options.retry_failed else outcomes.failed
        progress = Progress(total, earlier=outcomes.succeeded + failed, failed=failed)
        try:
            with Spinner(progress.describe), suggest_on_unknown(client, options.capability_key):
                run_batch(client, options, file, results, progress)
        except KeyboardInterrupt:
            raise KeyboardInterrupt("Run the same command again to resume.") from None
        finally:
            click.echo(progress.summarize(time.monotonic() - started))
        return EX_OK if outcomes.succeeded == total else EX_JOB_FAILED
