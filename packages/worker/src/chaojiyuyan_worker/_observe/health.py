"""Whether a worker is alive and ready."""

from __future__ import annotations

from dataclasses import dataclass

STALLED_SECONDS = 120.0
"""Seconds without a step of the poll after which a worker counts as dead."""


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far a running job is, as its handler told by ``task.progress``.

    Attributes:
        job_id: The job.
        capability_key: Its capability.
        fraction: How much of it is done, from 0 to 1.
        message: What it does at present.
    """

    job_id: str
    capability_key: str
    fraction: float
    message: str


@dataclass(frozen=True, slots=True)
class Health:
    """How a worker does.

    Attributes:
        live: Its poll has advanced of late or it drains, and all its threads work. That the process
            exists would say nothing.
        ready: Its last poll succeeded, it is live, and it is not draining.
        draining: It finishes the running jobs and takes no more.
        running_jobs: How many jobs it runs, those that it bids on included.
        problems: What does not work at present, a text each; empty for a healthy worker.
        progress: How far the running jobs are whose handlers tell it.
    """

    live: bool
    ready: bool
    draining: bool
    running_jobs: int
    problems: tuple[str, ...] = ()
    progress: tuple[JobProgress, ...] = ()


IDLE = Health(live=True, ready=False, draining=False, running_jobs=0)
"""A worker that does not run."""
