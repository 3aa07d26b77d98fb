"""The options of a run."""

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
    """The options for publishing outputs as artifacts.

    Attributes:
        publish: Whether to publish outputs.
        license: The SPDX identifier of the licence, or None.
        tags: The tags, or None.
    """

    publish: bool = False
    license: str | None = None
    tags: Sequence[str] | None = None

    def submit(
        self, job_id: str, output: Mapping[str, object], artifacts: Sequence[Artifact]
    ) -> api.Call[SubmitResult]:
        """Return the submit request for a job's output and artifacts."""
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
    """The options of one run of a worker.

    Attributes:
        concurrency: Maximum number of running jobs of all handlers together.
        executor: The executor of handlers without their own; None uses the worker's threads.
        publishing: The options for publishing outputs.
        poll_interval: Seconds between idle polls.
        heartbeat_interval: Seconds between the heartbeats of a lease.
        max_retries: Maximum number of retries of a failed handler.
        auto_register: Whether to register the capabilities of the handlers.
        graceful_shutdown_timeout: Maximum seconds for running jobs after the worker was stopped.
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
