"""Run a batch: read the lines of the input file and write the rows of the results file."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, cast

from .lines import Line, read_lines
from .results import SUCCEEDED, UNFINISHED, ResultsFile, Row
from .rows import is_fatal, make_error_row, make_invalid_row, make_job_row

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from chaojiyuyan_client import MapResult, NexusClient
    from chaojiyuyan_client.job import Job

    from .progress import Progress


@dataclass(frozen=True)
class BatchOptions:
    """The options of a batch.

    Args:
        capability_key: The capability of every job.
        concurrency: Maximum number of open jobs.
        timeout: Seconds to wait for each job.
        prefix: The name of the batch. Its idempotency keys begin with it.
        retry_failed: Whether to order the jobs of failed lines again.
    """

    capability_key: str
    concurrency: int
    timeout: float
    prefix: str
    retry_failed: bool


@dataclass(frozen=True)
class _NoOrder:
    """Replaces the input of a line that is not ordered, so that each index matches its line."""

    line: Line
    done: bool


def make_prefix(path: Path) -> str:
    """Return the name of a file's batch, which depends only on the file's absolute path.

    The name is a hash, so that the platform does not learn the path.

    Args:
        path: The input file.
    """
    digest = hashlib.sha256(str(path.absolute()).encode(errors="surrogateescape"))
    return f"batch-{digest.hexdigest()[:32]}"


def run_batch(
    client: NexusClient,
    options: BatchOptions,
    file: IO[bytes],
    results: ResultsFile,
    progress: Progress,
) -> None:
    """Order a job for each open line, and append a row when the job ends.

    Args:
        client: Orders the jobs.
        options: The options of the batch.
        file: The input file, positioned at its start.
        results: The results file.
        progress: The counts, which this function updates.

    Raises:
        HebingAPIError: The platform refuses the key or the capability, or the balance is too low.
        OSError: A file cannot be read or written.
    """
    # `map` refuses the placeholder of a line that is not ordered: it yields a result for the
    # line, and sends no request.
    inputs = _select(file, results, retry_failed=options.retry_failed)
    found = client.map(
        options.capability_key,
        cast("Iterator[dict[str, object]]", inputs),
        concurrency=options.concurrency,
        ordered=False,
        return_exceptions=True,
        timeout=options.timeout,
        idempotency_prefix=options.prefix,
        retry_failed=options.retry_failed,
        validate=True,
    )
    # Closing the generator stops further orders.
    with closing(cast("Generator[MapResult[Job], None, None]", found)):
        for result in found:
            row = _make_row(result)
            if row is None:
                continue
            results.append(row)
            progress.done += row["status"] != UNFINISHED
            progress.failed += row["status"] != SUCCEEDED
            progress.spent_nc += row["price_nc"] if isinstance(row["price_nc"], int) else 0


def _select(
    file: IO[bytes], results: ResultsFile, *, retry_failed: bool
) -> Iterator[dict[str, object] | _NoOrder]:
    """Yield the input of each line in the order of the file."""
    for line in read_lines(file):
        if not results.outcomes.is_open(line.number, retry_failed=retry_failed):
            yield _NoOrder(line, done=True)
        elif line.payload is None:
            yield _NoOrder(line, done=False)
        else:
            yield line.payload


def _make_row(result: MapResult[Job]) -> Row | None:
    """Return the row of a result, or None for a line that an earlier run has finished."""
    number = result.index + 1
    if isinstance(result.input, _NoOrder):
        line = result.input.line
        return None if result.input.done else make_invalid_row(number, line.problem)
    if result.job is not None and result.job.done:
        return make_job_row(number, result.job)
    if result.error is None:
        raise RuntimeError(f"line {number} has neither a job nor an error")
    if is_fatal(result.error):
        raise result.error
    return make_error_row(number, result.error)
