"""The health of a worker."""

from __future__ import annotations

from dataclasses import dataclass

STALLED_SECONDS = 120.0
"""Seconds without progress of the poll loop after which a worker is not live."""


@dataclass(frozen=True, slots=True)
class JobProgress:
    """The progress of a running job, as reported with ``task.progress``.

    Attributes:
        job_id: The id of the job.
        capability_key: The key of its capability.
        fraction: The completed part, from 0 to 1.
        message: The present activity.
    """

    job_id: str
    capability_key: str
    fraction: float
    message: str


@dataclass(frozen=True, slots=True)
class Health:
    """The health of a worker.

    Attributes:
        live: Whether all threads work, and the poll loop has made progress in the last two minutes
            or the worker is draining.
        ready: Whether the worker is live, its last poll succeeded, and it is not draining.
        draining: Whether the worker finishes its running jobs and takes no new jobs.
        running_jobs: The number of running jobs, including jobs that it is bidding on.
        problems: The present problems, one string each; empty for a healthy worker.
        progress: The progress of the running jobs whose handlers report it.
    """

    live: bool
    ready: bool
    draining: bool
    running_jobs: int
    problems: tuple[str, ...] = ()
    progress: tuple[JobProgress, ...] = ()


IDLE = Health(live=True, ready=False, draining=False, running_jobs=0)
"""The health of a worker that is not running."""
