"""What a run is told: its options, and how outputs are published."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict

from chaojiyuyan_core import api

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Executor

    import httpx

    from chaojiyuyan_core.models import Artifact, SubmitResult


@dataclass(frozen=True, slots=True)
class Publishing:
    """How outputs are published as artifacts.

    Attributes:
        publish: Whether they are.
        license: An SPDX identifier, or None.
        tags: Their tags, or None.
    """

    publish: bool = False
    license: str | None = None
    tags: Sequence[str] | None = None

    def submit(
        self, job_id: str, output: Mapping[str, object], artifacts: Sequence[Artifact]
    ) -> api.Call[SubmitResult]:
        """Return the submit of a job's output and its artifacts."""
        return api.submit(
            job_id,
            output,
            artifacts=artifacts,
            publish_as_artifact=self.publish,
            artifact_license=self.license,
            artifact_tags=self.tags,
        )


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What one run of a worker is told.

    Attributes:
        concurrency: How many jobs may run at a time, all handlers together.
        executor: Runs the handlers that have none of their own; None for the worker's own threads.
        publishing: How outputs are published.
        poll_interval: Seconds between idle polls.
        heartbeat_interval: Seconds between the heartbeats of a lease.
        max_retries: How often a handler that failed is run again.
        auto_register: Whether the handlers' capabilities are registered.
        graceful_shutdown_timeout: Seconds that running jobs may take once the worker is stopped.
    """

    concurrency: int = 1
    executor: Executor | None = None
    publishing: Publishing = field(default_factory=Publishing)
    poll_interval: float = 1.0
    heartbeat_interval: float = 10.0
    max_retries: int = 2
    auto_register: bool = True
    graceful_shutdown_timeout: float = 25.0


class WorkerOptions(TypedDict, total=False):
    """The keyword arguments of :class:`~chaojiyuyan_worker.Worker`."""

    publish_artifacts: bool
    artifact_license: str | None
    artifact_tags: Sequence[str] | None
    http_client: httpx.Client | None
    concurrency: int
    executor: Executor | None
    graceful_shutdown_timeout: float
