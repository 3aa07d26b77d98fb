"""A job as a dict that can wait."""

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
"""Seconds that a wait for a job takes at most."""

DEFAULT_DOWNLOAD_TIMEOUT = 3600.0
"""Seconds for a whole download, its retries included."""

DEFAULT_CONCURRENCY = 16
"""Inputs that a map has open at a time."""

DEFAULT_POLL_INTERVAL = 3.0
"""Seconds between two polls at most, where the server does not hold its answer back."""

C = TypeVar("C")


class JobClient(Protocol):
    """What a job needs of the client that it came from."""

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
        """Bring an artifact into a file."""

    def job_events(self, job_id: str) -> Iterator[JobEvent]:
        """Iterate over what has happened to a job."""

    def _follower(self, job_id: str, timeout: float | None) -> Follower: ...

    def _follow(self, follower: Follower) -> Iterator[JobEvent]: ...


class AsyncJobClient(Protocol):
    """What an async job needs of the client that it came from."""

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
        """Bring an artifact into a file."""

    def job_events(self, job_id: str) -> AsyncIterator[JobEvent]:
        """Iterate over what has happened to a job."""

    def _follower(self, job_id: str, timeout: float | None) -> Follower: ...

    def _follow(self, follower: Follower) -> AsyncIterator[JobEvent]: ...


class JobDict(dict[str, Any], Generic[C]):
    """What both kinds of job have: the API's object, and the client that it came from.

    It equals the plain dict and is JSON as it stands. Pickled or copied it loses its client.
    """

    __slots__ = ("_client",)

    def __init__(self, data: Mapping[str, object], client: C | None = None) -> None:
        super().__init__(data)
        self._client = client

    def __repr__(self) -> str:
        """Tell which job it is and how it stands, in one line."""
        shown = {name: self.get(name) for name in ("id", "status", "capability_key", "error_code")}
        parts = [f"{name}={value!r:.80}" for name, value in shown.items() if value is not None]
        return f"<{type(self).__name__} {' '.join(parts)}>"

    def __reduce__(self) -> tuple[type[JobDict[C]], tuple[dict[str, Any]]]:
        return type(self), (dict(self),)

    def __reduce_ex__(self, protocol: object) -> tuple[type[JobDict[C]], tuple[dict[str, Any]]]:
        return self.__reduce__()

    @property
    def id(self) -> str:
        """The job's id."""
        return cast("str", self["id"])

    @property
    def status(self) -> JobStatus:
        """The job's status when it was asked for; it does not change by itself."""
        return cast("JobStatus", self["status"])

    @property
    def price_nc(self) -> int | None:
        """What the job costs, in whole nc; None where the server did not say."""
        return self.get("price_nc")

    @property
    def created_at(self) -> str | None:
        """When the job was posted, in ISO 8601, UTC."""
        return self.get("created_at")

    @property
    def completed_at(self) -> str | None:
        """When the job ended, in ISO 8601, UTC; None before that."""
        return self.get("completed_at")

    @property
    def error_code(self) -> str | None:
        """Why the job failed, as a stable machine code; None where it did not."""
        return self.get("error_code")

    @property
    def error_message(self) -> str | None:
        """Why the job failed, as text; None where it did not."""
        return self.get("error_message")

    @property
    def done(self) -> bool:
        """Whether the job has ended, well or not."""
        return self.status in TERMINAL_JOB_STATUSES

    @property
    def succeeded(self) -> bool:
        """Whether the job has ended well."""
        return self.status == "succeeded"

    @property
    def artifacts(self) -> list[Artifact]:
        """The files that the job has produced; known once it has ended."""
        return self.get("artifacts") or []

    @property
    def _bound(self) -> C:
        if self._client is None:
            raise RuntimeError(
                f"This job was copied or unpickled, and has no client: use client.wait({self.id!r})"
            )
        return self._client

    def _output(self) -> JsonObject:
        if not self.succeeded:
            raise JobFailed(self)
        return self.get("output_envelope") or {}

    @property
    def _complete(self) -> bool:
        """Whether the output is here; a job of a listing, or just repeated, has none."""
        return self.succeeded and self.get("output_envelope") is not None


class Job(JobDict[JobClient]):
    """A job that `NexusClient` has created or fetched: the API's object as a dict."""

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
            The job as it is then, a new object.
        """
        return self._bound.wait(
            self.id, timeout=timeout, poll_interval=poll_interval, on_update=on_update
        )

    def result(self, *, timeout: float = DEFAULT_TIMEOUT) -> JsonObject:
        """Wait until the job has ended, and return its output.

        Args:
            timeout: Seconds at most.

        Raises:
            JobFailed: It ended other than succeeded.
            JobTimeout: It did not end in time.
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
        """Bring one of the job's artifacts into a file; see :meth:`NexusClient.download`."""
        return self._bound.download(
            artifact,
            to,
            overwrite=overwrite,
            max_bytes=max_bytes,
            timeout=timeout,
            on_progress=on_progress,
        )

    def events(self) -> Iterator[JobEvent]:
        """Iterate over what has happened to the job, oldest first."""
        return self._bound.job_events(self.id)

    def follow(self, *, timeout: float | None = None) -> Iterator[JobEvent]:
        """Iterate over what happens to the job, each event once and as it happens, to its end.

        Faults on the way do not end it.

        Args:
            timeout: Seconds at most; None follows the job to its end.

        Raises:
            JobTimeout: The job did not end in time.
            NotFoundError: There is no such job any more, or it is another agent's.
        """
        return self._bound._follow(self._bound._follower(self.id, timeout))


class AsyncJob(JobDict[AsyncJobClient]):
    """A job that `AsyncNexusClient` has created or fetched: the API's object as a dict."""

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
            The job as it is then, a new object.
        """
        return await self._bound.wait(
            self.id, timeout=timeout, poll_interval=poll_interval, on_update=on_update
        )

    async def result(self, *, timeout: float = DEFAULT_TIMEOUT) -> JsonObject:
        """Wait until the job has ended, and return its output.

        Args:
            timeout: Seconds at most.

        Raises:
            JobFailed: It ended other than succeeded.
            JobTimeout: It did not end in time.
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
        """Bring one of the job's artifacts into a file; see :meth:`NexusClient.download`."""
        return await self._bound.download(
            artifact,
            to,
            overwrite=overwrite,
            max_bytes=max_bytes,
            timeout=timeout,
            on_progress=on_progress,
        )

    def events(self) -> AsyncIterator[JobEvent]:
        """Iterate over what has happened to the job, oldest first."""
        return self._bound.job_events(self.id)

    def follow(self, *, timeout: float | None = None) -> AsyncIterator[JobEvent]:
        """Iterate over what happens to the job, each event once and as it happens, to its end."""
        return self._bound._follow(self._bound._follower(self.id, timeout))
