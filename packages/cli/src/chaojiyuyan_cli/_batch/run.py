"""The run of a batch: lines in, rows out."""

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
    """How a batch is ordered.

    Args:
        capability_key: The capability of every job.
        concurrency: Maximum number of open jobs.
        timeout: Seconds to wait for each job.
        prefix: The name of the batch, with which its idempotency keys begin.
        retry_failed: Whether failed lines are ordered again.
    """

    capability_key: str
    concurrency: int
    timeout: float
    prefix: str
    retry_failed: bool


@dataclass(frozen=True)
class _NoOrder:
    """Takes the place of an input for a line that is not ordered, so that every index is a line."""

    line: Line
    done: bool


def make_prefix(path: Path) -> str:
    """Return the name of the batch of a file: a function of its absolute path.

    The path itself is nothing that the platform needs to know.

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
    """Order a job for each line that is open, and append a row for each as its job ends.

    Args:
        client: Orders the jobs.
        options: How.
        file: The input file, at its start.
        results: The results file.
        progress: Is kept up to date.

    Raises:
        HebingAPIError: The platform refuses the key or the capability, or credits are missing.
        OSError: A file cannot be read or written.
    """
    # A line that is not ordered has no input that `map` takes: it makes a result, and no request.
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
    with closing(
        cast("Generator[MapResult[Job], None, None]", found)
    ):  # leaving it orders nothing more
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
    """Yield the input of each line, in the place that is the number of the line."""
    for line in read_lines(file):
        if not results.outcomes.is_open(line.number, retry_failed=retry_failed):
            yield _NoOrder(line, done=True)
        elif line.payload is None:
            yield _NoOrder(line, done=False)
        else:
            yield line.payload


def _make_row(result: MapResult[Job]) -> Row | None:
    """Return the row of a result, None for a line that was done before."""
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
