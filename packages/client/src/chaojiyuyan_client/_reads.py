"""The methods of both clients that read: jobs, their events and artifacts, and the catalog."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from chaojiyuyan_core import api
from chaojiyuyan_core.http import AsyncTransport, Transport, request, run, run_async
from chaojiyuyan_core.models import Artifact, CapabilitySpec, JobEvent, JobStatus

from ._arguments import to_id
from ._base import ClientBase
from ._pages import JobPages
from .job import (
    DEFAULT_DOWNLOAD_TIMEOUT,
    DEFAULT_POLL_INTERVAL,
    DEFAULT_TIMEOUT,
    AsyncJob,
    Job,
)

if TYPE_CHECKING:
    import os
    import pathlib
    import uuid

    from chaojiyuyan_core.api import Call

    from ._follow import Follower
else:
    from chaojiyuyan_core.annotations import os, pathlib, uuid

T = TypeVar("T")


class Reads(ClientBase):
    """The methods of the sync client that read."""

    _transport: Transport

    def get_job(self, job_id: str | uuid.UUID) -> Job:
        """Return the present state of a job (``GET /kernel-jobs/{id}``).

        Args:
            job_id: The id of the job.

        Raises:
            NotFoundError: The job does not exist, or it belongs to another agent.
            ValueError: The id is empty, ``.`` or ``..``.
        """
        return Job(self._request(api.get_job(to_id(job_id))), self)

    def wait(
        self,
        job_id: str | uuid.UUID,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        poll_interval: float = DEFAULT_POLL_INTERVAL,
        on_update: Callable[[Job], object] | None = None,
    ) -> Job:
        """Wait until a job has ended, with any status. Temporary failures are retried.

        The requests are ``GET /kernel-jobs/{id}``, with long-polling (``Prefer: wait``, RFC 7240)
        when the server supports it.

        Args:
            job_id: The id of the job.
            timeout: Maximum seconds to wait.
            poll_interval: Maximum seconds between two polls of a server without long-polling. The
                intervals start at 0.1 s and grow. Several waits of one client poll together.
            on_update: A function that is called with the job at the first response and whenever
                its status changes.

        Returns:
            The ended job, with its output or error.

        Raises:
            JobTimeout: The job did not end in time. The cause is the last failure, if there was
                one.
            NotFoundError: The job does not exist, or it belongs to another agent.
        """
        with self._tracing.span("wait", to_id(job_id)):
            flow = self._waiting(
                to_id(job_id),
                timeout=timeout,
                poll_interval=poll_interval,
                on_update=on_update and (lambda data: on_update(Job(data, self))),
            )
            return Job(run(flow, self._transport), self)

    def jobs(
        self,
        *,
        status: JobStatus | None = None,
        capability_key: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Job]:
        """Iterate over the caller's own jobs, newest first (``GET /kernel-jobs``), page by page.

        Args:
            status: Filter by status, for example ``failed``.
            capability_key: Filter by capability.
            limit: Maximum number of jobs; None for all.

        Raises:
            ValueError: The limit is negative or not a whole number.
        """
        return self._list_jobs(JobPages(status, capability_key, limit))

    def _list_jobs(self, pages: JobPages) -> Iterator[Job]:
        for call in pages.calls():
            for data in pages.unseen(self._request(call)):
                yield Job(data, self)

    def job_events(self, job_id: str | uuid.UUID) -> Iterator[JobEvent]:
        """Iterate over the events of a job (``GET /kernel-jobs/{id}/events``), oldest first.

        Args:
            job_id: The id of the job.

        Raises:
            NotFoundError: The job does not exist, or it belongs to another agent.
        """
        yield from self._request(api.job_events(to_id(job_id)))

    def _follow(self, follower: Follower) -> Iterator[JobEvent]:
        while not follower.has_ended:
            yield from run(follower.next_events(), self._transport)

    def capabilities(self, *, category: str | None = None) -> list[CapabilitySpec]:
        """Return the catalog (``GET /capability-specs``).

        Args:
            category: Filter by category. The match is exact.
        """
        return self._request(api.list_capabilities(category=category))

    def download(
        self,
        artifact: Artifact,
        to: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        max_bytes: int | None = None,
        timeout: float = DEFAULT_DOWNLOAD_TIMEOUT,
        on_progress: Callable[[int], object] | None = None,
    ) -> pathlib.Path:
        """Download an artifact to a file. After a failure, the file is unchanged.

        Args:
            artifact: An artifact from `job.artifacts`, with an ``https:`` or ``data:`` address.
            to: The file to write. Its folder must exist.
            overwrite: Whether to replace an existing file. A link, a pipe or a device is never
                replaced.
            max_bytes: Maximum size in bytes; None for no limit except the declared size of the
                artifact.
            timeout: Maximum seconds for the whole download with its retries, by default an hour.
            on_progress: A function that is called with the number of downloaded bytes.

        Returns:
            The path of the file.

        Raises:
            DownloadError: The artifact has no such address, or its size differs from the declared
                size.
            HebingAPIError: The host of the artifact responded with an error.
            FileExistsError: The file exists, and `overwrite` is false.
            OSError: The file cannot be written.
        """
        from .download import download

        flow = download(
            artifact,
            to,
            retry=self._retry,
            base_url=self.base_url,
            overwrite=overwrite,
            max_bytes=max_bytes,
            timeout=timeout,
            on_progress=on_progress,
        )
        return run(flow, self._transport)

    def _request(self, call: Call[T]) -> T:
        return run(request(call, self._retry), self._transport)


class AsyncReads(ClientBase):
    """The methods of the async client that read; see the same methods of `NexusClient`."""

    _transport: AsyncTransport

    async def get_job(self, job_id: str | uuid.UUID) -> AsyncJob:
        """Return the present state of a job; see :meth:`NexusClient.get_job`."""
        return AsyncJob(await self._request(api.get_job(to_id(job_id))), self)

    async def wait(
        self,
        job_id: str | uuid.UUID,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        poll_interval: float = DEFAULT_POLL_INTERVAL,
        on_update: Callable[[AsyncJob], object] | None = None,
    ) -> AsyncJob:
        """Wait until a job has ended, with any status; see :meth:`NexusClient.wait`."""
        with self._tracing.span("wait", to_id(job_id)):
            flow = self._waiting(
                to_id(job_id),
                timeout=timeout,
                poll_interval=poll_interval,
                on_update=on_update and (lambda data: on_update(AsyncJob(data, self))),
            )
            return AsyncJob(await run_async(flow, self._transport), self)

    def jobs(
        self,
        *,
        status: JobStatus | None = None,
        capability_key: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[AsyncJob]:
        """Iterate over the caller's own jobs, newest first; see :meth:`NexusClient.jobs`."""
        return self._list_jobs(JobPages(status, capability_key, limit))

    async def _list_jobs(self, pages: JobPages) -> AsyncIterator[AsyncJob]:
        for call in pages.calls():
            for data in pages.unseen(await self._request(call)):
                yield AsyncJob(data, self)

    async def job_events(self, job_id: str | uuid.UUID) -> AsyncIterator[JobEvent]:
        """Iterate over the events of a job, oldest first; see :meth:`NexusClient.job_events`."""
        for event in await self._request(api.job_events(to_id(job_id))):
            yield event

    async def _follow(self, follower: Follower) -> AsyncIterator[JobEvent]:
        while not follower.has_ended:
            for event in await run_async(follower.next_events(), self._transport):
                yield event

    async def capabilities(self, *, category: str | None = None) -> list[CapabilitySpec]:
        """Return the catalog; see :meth:`NexusClient.capabilities`."""
        return await self._request(api.list_capabilities(category=category))

    async def download(
        self,
        artifact: Artifact,
        to: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        max_bytes: int | None = None,
        timeout: float = DEFAULT_DOWNLOAD_TIMEOUT,
        on_progress: Callable[[int], object] | None = None,
    ) -> pathlib.Path:
        """Download an artifact to a file; see :meth:`NexusClient.download`."""
        from .download import download

        flow = download(
            artifact,
            to,
            retry=self._retry,
            base_url=self.base_url,
            overwrite=overwrite,
            max_bytes=max_bytes,
            timeout=timeout,
            on_progress=on_progress,
        )
        return await run_async(flow, self._transport)

    async def _request(self, call: Call[T]) -> T:
        return await run_async(request(call, self._retry), self._transport)
