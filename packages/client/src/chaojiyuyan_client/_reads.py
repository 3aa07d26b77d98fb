"""What both clients read: jobs, their events and files, and the catalog."""

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
    """What the sync client reads."""

    _transport: Transport

    def get_job(self, job_id: str | uuid.UUID) -> Job:
        """Return a job as it stands (``GET /kernel-jobs/{id}``).

        Args:
            job_id: The job's id.

        Raises:
            NotFoundError: There is none, or it is another agent's.
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
        """Wait until a job has ended, well or not. Faults on the way do not end it.

        Args:
            job_id: The job's id.
            timeout: Maximum wait in seconds.
            poll_interval: Maximum interval between two polls in seconds, where the server does not
                hold its answer (``Prefer: wait``, RFC 7240). Intervals begin at 0.1 s and grow;
                several waits of one client poll together.
            on_update: A function that is called with the job when it is first seen and whenever
                its status changes.

        Raises:
            JobTimeout: It did not end in time; its cause is the last fault, if there was one.
            NotFoundError: There is no such job, or it is another agent's.
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
        """Iterate over the caller's own jobs (``GET /kernel-jobs``), a page at a time.

        Args:
            status: Filter by status, for example ``failed``.
            capability_key: Filter by capability.
            limit: The number of jobs at most; None for all.

        Raises:
            ValueError: The limit is negative or not a whole number.
        """
        return self._listed(JobPages(status, capability_key, limit))

    def _listed(self, pages: JobPages) -> Iterator[Job]:
        for call in pages.calls():
            for data in pages.unseen(self._request(call)):
                yield Job(data, self)

    def job_events(self, job_id: str | uuid.UUID) -> Iterator[JobEvent]:
        """Iterate over what has happened to a job (``GET /kernel-jobs/{id}/events``), oldest first.

        Args:
            job_id: The job's id.
        """
        yield from self._request(api.job_events(to_id(job_id)))

    def _follow(self, follower: Follower) -> Iterator[JobEvent]:
        while not follower.has_ended:
            yield from run(follower.next_events(), self._transport)

    def capabilities(self, *, category: str | None = None) -> list[CapabilitySpec]:
        """Return the catalog (``GET /capability-specs``).

        Args:
            category: Filter by category, an exact match.
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
        """Bring an artifact into a file: all of it, or the file stays as it was.

        Args:
            artifact: An artifact of `job.artifacts`, at an ``https:`` or ``data:`` address.
            to: The file to write; its folder must exist.
            overwrite: Whether to replace a file that exists. A link, a pipe and a device are never
                replaced.
            max_bytes: The bytes after which the download is given up; None for no limit but the
                size that the artifact announces.
            timeout: Seconds for the whole download, retries included; an hour by default.
            on_progress: A function that is called with the number of bytes so far.

        Returns:
            The file's path.

        Raises:
            DownloadError: The artifact has no such address, or not the size that it says.
            HebingAPIError: Its host answered with an error.
            FileExistsError: The file exists, and `overwrite` is not set.
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
    """What the async client reads; each method is described at its twin's."""

    _transport: AsyncTransport

    async def get_job(self, job_id: str | uuid.UUID) -> AsyncJob:
        """Return a job as it stands (``GET /kernel-jobs/{id}``)."""
        return AsyncJob(await self._request(api.get_job(to_id(job_id))), self)

    async def wait(
        self,
        job_id: str | uuid.UUID,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        poll_interval: float = DEFAULT_POLL_INTERVAL,
        on_update: Callable[[AsyncJob], object] | None = None,
    ) -> AsyncJob:
        """Wait until a job has ended, well or not. Faults on the way do not end it."""
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
        """Iterate over the caller's own jobs (``GET /kernel-jobs``), a page at a time."""
        return self._listed(JobPages(status, capability_key, limit))

    async def _listed(self, pages: JobPages) -> AsyncIterator[AsyncJob]:
        for call in pages.calls():
            for data in pages.unseen(await self._request(call)):
                yield AsyncJob(data, self)

    async def job_events(self, job_id: str | uuid.UUID) -> AsyncIterator[JobEvent]:
        """Iterate over a job's events (``GET /kernel-jobs/{id}/events``), oldest first."""
        for event in await self._request(api.job_events(to_id(job_id))):
            yield event

    async def _follow(self, follower: Follower) -> AsyncIterator[JobEvent]:
        while not follower.has_ended:
            for event in await run_async(follower.next_events(), self._transport):
                yield event

    async def capabilities(self, *, category: str | None = None) -> list[CapabilitySpec]:
        """Return the catalog (``GET /capability-specs``)."""
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
        """Bring an artifact into a file: all of it, or the file stays as it was."""
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
