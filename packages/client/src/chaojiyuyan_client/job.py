"""Jobs as dicts with methods."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast

from chaojiyuyan_core.errors import JobFailed
from chaojiyuyan_core.models import (
    TERMINAL_JOB_STATUSES,
    Artifact,
    JobEvent,
    JobStatus,
    JsonObject,
)

if TYPE_CHECKING:
    import os
    import pathlib

    from ._follow import Follower
else:
    from chaojiyuyan_core.annotations import os, pathlib

DEFAULT_TIMEOUT = 300.0
"""Default maximum seconds of a wait for a job."""

DEFAULT_DOWNLOAD_TIMEOUT = 3600.0
"""Default maximum seconds for a whole download with its retries."""

DEFAULT_CONCURRENCY = 16
"""Default maximum number of open inputs of a map."""

DEFAULT_POLL_INTERVAL = 3.0
"""Default maximum seconds between two polls when the server does not support long-polling."""

C = TypeVar("C")


class JobClient(Protocol):
    """The methods of a client that a job uses."""

    def wait(
        self,
        job_id: str,
        *,
        timeout: float = ...,
        poll_interval: float = ...,
        on_update: Callable[[Job], object] | None = ...,
    ) -> Job:
        """Wait until a job has ended."""

    def download(
        self,
        artifact: Artifact,
        to: str | os.PathLike[str],
        *,
        overwrite: bool = ...,
        max_bytes: int | None = ...,
        timeout: float = ...,
        on_progress: Callable[[int], object] | None = ...,
    ) -> pathlib.Path:
        """Download an artifact to a file."""

    def job_events(self, job_id: str) -> Iterator[JobEvent]:
        """Iterate over the events of a job."""

    def _follower(self, job_id: str, timeout: float | None) -> Follower: ...

    def _follow(self, follower: Follower) -> Iterator[JobEvent]: ...


class AsyncJobClient(Protocol):
    """The methods of an async client that a job uses."""

    async def wait(
        self,
        job_id: str,
        *,
        timeout: float = ...,
        poll_interval: float = ...,
        on_update: Callable[[AsyncJob], object] | None = ...,
    ) -> AsyncJob:
        """Wait until a job has ended."""

    async def download(
        self,
        artifact: Artifact,
        to: str | os.PathLike[str],
        *,
        overwrite: bool = ...,
        max_bytes: int | None = ...,
        timeout: float = ...,
        on_progress: Callable[[int], object] | None = ...,
    ) -> pathlib.Path:
        """Download an artifact to a file."""

    def job_events(self, job_id: str) -> AsyncIterator[JobEvent]:
        """Iterate over the events of a job."""

    def _follower(self, job_id: str, timeout: float | None) -> Follower: ...

    def _follow(self, follower: Follower) -> AsyncIterator[JobEvent]: ...


class JobDict(dict[str, Any], Generic[C]):
    """The base of both job classes: the API's object as a dict, and the client.

    It equals the plain dict and can be written as JSON. A pickled or copied job has no client.
    """

    __slots__ = ("_client",)

    def __init__(self, data: Mapping[str, object], client: C | None = None) -> None:
        super().__init__(data)
        self._client = client

    def __repr__(self) -> str:
        """Return the id, the status, the capability and the error code in one line."""
        shown = {name: self.get(name) for name in ("id", "status", "capability_key", "error_code")}
        parts = [f"{name}={value!r:.80}" for name, value in shown.items() if value is not None]
        return f"<{type(self).__name__} {' '.join(parts)}>"

    def __reduce__(self) -> tuple[type[JobDict[C]], tuple[dict[str, Any]]]:
        return type(self), (dict(self),)

    def __reduce_ex__(self, protocol: object) -> tuple[type[JobDict[C]], tuple[dict[str, Any]]]:
        return self.__reduce__()

    @property
    def id(self) -> str:
        """The id of the job."""
        return cast("str", self["id"])

    @property
    def status(self) -> JobStatus:
        """The status of the job at the time of the request. It does not update itself."""
        return cast("JobStatus", self["status"])

    @property
    def price_nc(self) -> int | None:
        """The price of the job in whole nc, or None when the server did not send it."""
        return self.get("price_nc")

    @property
    def created_at(self) -> str | None:
        """The time of the order (ISO 8601, UTC)."""
        return self.get("created_at")

    @property
    def completed_at(self) -> str | None:
        """The time of the end (ISO 8601, UTC), or None before the end."""
        return self.get("completed_at")

    @property
    def error_code(self) -> str | None:
        """The stable code of the failure, or None when the job has not failed."""
        return self.get("error_code")

    @property
    def error_message(self) -> str | None:
        """The message of the failure, or None when the job has not failed."""
        return self.get("error_message")

    @property
    def done(self) -> bool:
        """Whether the job has ended, with any status."""
        return self.status in TERMINAL_JOB_STATUSES

    @property
    def succeeded(self) -> bool:
        """Whether the job has ended with the status ``succeeded``."""
        return self.status == "succeeded"

    @property
    def artifacts(self) -> list[Artifact]:
        """The files that the job has produced; empty until it has ended."""
        return self.get("artifacts") or []

    @property
    def _bound(self) -> C:
        if self._client is None:
            raise RuntimeError(
                f"This job was copied or unpickled and has no client: use client.wait({self.id!r})"
            )
        return self._client

    def _output(self) -> JsonObject:
        if not self.succeeded:
            raise JobFailed(self)
        return self.get("output_envelope") or {}

    @property
    def _complete(self) -> bool:
        """Whether the output is present. A job from a list, or from a repeated order, has none."""
        return self.succeeded and self.get("output_envelope") is not None


class Job(JobDict[JobClient]):
    """A job from :class:`NexusClient`: the API's object as a dict."""

    __slots__ = ()

    def wait(
        self,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        poll_interval: float = DEFAULT_POLL_INTERVAL,
        on_update: Callable[[Job], object] | None = None,
    ) -> Job:
        """Wait until the job has ended; see :meth:`NexusClient.wait`.

        Returns:
            The ended job, a new object.
        """
        return self._bound.wait(
            self.id, timeout=timeout, poll_interval=poll_interval, on_update=on_update
        )

    def result(self, *, timeout: float = DEFAULT_TIMEOUT) -> JsonObject:
        """Wait until the job has ended, and return its output.

        Args:
            timeout: Maximum seconds to wait.

        Returns:
            The output.

        Raises:
            JobFailed: The job ended with a status other than ``succeeded``.
            JobTimeout: The job did not end in time.
        """
        return (self if self._complete else self.wait(timeout=timeout))._output()

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
        """Download an artifact of the job to a file; see :meth:`NexusClient.download`."""
        return self._bound.download(
            artifact,
            to,
            overwrite=overwrite,
            max_bytes=max_bytes,
            timeout=timeout,
            on_progress=on_progress,
        )

    def events(self) -> Iterator[JobEvent]:
        """Iterate over the events of the job, oldest first; see :meth:`NexusClient.job_events`."""
        return self._bound.job_events(self.id)

    def follow(self, *, timeout: float | None = None) -> Iterator[JobEvent]:
        """Iterate over the events of the job as they happen, each once, until the job ends.

        Temporary failures are retried.

        Args:
            timeout: Maximum seconds; None for no limit.

        Raises:
            JobTimeout: The job did not end in time.
            NotFoundError: The job no longer exists, or it belongs to another agent.
        """
        return self._bound._follow(self._bound._follower(self.id, timeout))


class AsyncJob(JobDict[AsyncJobClient]):
    """A job from :class:`AsyncNexusClient`: the API's object as a dict."""

    __slots__ = ()

    async def wait(
        self,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        poll_interval: float = DEFAULT_POLL_INTERVAL,
        on_update: Callable[[AsyncJob], object] | None = None,
    ) -> AsyncJob:
        """Wait until the job has ended; see :meth:`AsyncNexusClient.wait`.

        Returns:
            The ended job, a new object.
        """
        return await self._bound.wait(
            self.id, timeout=timeout, poll_interval=poll_interval, on_update=on_update
        )

    async def result(self, *, timeout: float = DEFAULT_TIMEOUT) -> JsonObject:
        """Wait until the job has ended, and return its output.

        Args:
            timeout: Maximum seconds to wait.

        Returns:
            The output.

        Raises:
            JobFailed: The job ended with a status other than ``succeeded``.
            JobTimeout: The job did not end in time.
        """
        return (self if self._complete else await self.wait(timeout=timeout))._output()

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
        """Download an artifact of the job to a file; see :meth:`NexusClient.download`."""
        return await self._bound.download(
            artifact,
            to,
            overwrite=overwrite,
            max_bytes=max_bytes,
            timeout=timeout,
            on_progress=on_progress,
        )

    def events(self) -> AsyncIterator[JobEvent]:
        """Iterate over the events of the job, oldest first; see :meth:`NexusClient.job_events`."""
        return self._bound.job_events(self.id)

    def follow(self, *, timeout: float | None = None) -> AsyncIterator[JobEvent]:
        """Iterate over the events of the job as they happen; see :meth:`Job.follow`."""
        return self._bound._follow(self._bound._follower(self.id, timeout))
