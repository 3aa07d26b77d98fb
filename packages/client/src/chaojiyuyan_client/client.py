"""The client for callers: post jobs, wait for them, fetch what they made."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from chaojiyuyan_core import api
from chaojiyuyan_core.addresses import checked_base_url
from chaojiyuyan_core.http import (
    DEFAULT_MAX_RESPONSE_BYTES,
    RequestBuilder,
    Transport,
    request,
    run,
)

from ._pages import JobPages
from .base import ClientBase
from .job import DEFAULT_DOWNLOAD_TIMEOUT, DEFAULT_POLL_INTERVAL, DEFAULT_TIMEOUT, Job

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx
    from typing_extensions import Self

    from chaojiyuyan_core.api import Call
    from chaojiyuyan_core.http import TimeoutTypes
    from chaojiyuyan_core.models import Artifact, CapabilitySpec, JobEvent, JobStatus, JsonObject

    from ._arguments import ObjectLike

T = TypeVar("T")


class NexusClient(ClientBase):
    """The platform as a caller sees it. Safe to share between threads.

    Every method raises :class:`~chaojiyuyan_core.errors.HebingAPIError` where the API refuses and
    ``httpx.HTTPError`` where it is not reached, after the retries.

    :param api_key: an agent key (``nxt_ag_…``).
    :param base_url: the platform's base URL; production by default. Plain http to another machine
        warns.
    :param timeout: seconds without progress after which a request ends, in any form that httpx
        takes: a number, None for no limit, an ``httpx.Timeout`` or a tuple. A request ends after
        five minutes in any case, or after the timeout where that is longer.
    :param max_retries: attempts after the first, for what may be repeated; 0 turns retrying off.
    :param auto_idempotency: :meth:`call` makes an idempotency key where it is given none, so that
        it may be repeated.
    :param max_response_bytes: the most bytes of an answer, decoded; 64 MiB by default.
    :param http_client: an ``httpx.Client`` to use; its own base URL, headers and timeout win, and
        it is not closed with this one.
    :raises ValueError: the key is blank, or the base URL is none.
    """

    _transport: Transport

    def __init__(
        self,
        api_key: str,
        base_url: str | None = None,
        *,
        timeout: TimeoutTypes = 30.0,
        max_retries: int = 2,
        auto_idempotency: bool = True,
        max_response_bytes: int = DEFAULT_MAX_RESPONSE_BYTES,
        http_client: httpx.Client | None = None,
    ) -> None:
        super().__init__(
            api_key,
            base_url,
            timeout=timeout,
            max_retries=max_retries,
            auto_idempotency=auto_idempotency,
        )
        self._transport = Transport(
            self._builder, http_client, max_response_bytes=max_response_bytes
        )
        self._builder = self._transport.builder
        if http_client is not None:
            self.timeout = http_client.timeout

    @classmethod
    def login_device_flow(
        cls,
        *,
        base_url: str | None = None,
        client_name: str | None = None,
        timeout: float = 600.0,
        poll_interval: float = 5.0,
        print_fn: Callable[[str], object] | None = None,
        save: bool = True,
        profile: str | None = None,
    ) -> Self:
        """Log in by a browser (RFC 8628), and make a client of the key.

        :param base_url: the platform's base URL; production by default.
        :param client_name: what the person who approves is told.
        :param timeout: seconds until it gives up.
        :param poll_interval: seconds between two polls where the server names none.
        :param print_fn: takes the lines to be shown; ``print`` by default.
        :param save: keep the key in the credentials file.
        :param profile: the profile to keep it in.
        :raises DeviceFlowError: the login was denied, or has expired.
        :raises DeviceFlowTimeout: nobody approved it in time.
        :raises CredentialsError: the credentials file is broken. One that cannot be written once
            the login is approved warns, and the client is good.
        """
        from .login import device_login

        url = checked_base_url(base_url or cls.DEFAULT_BASE_URL)
        transport = Transport(RequestBuilder(None, url))
        try:
            flow = device_login(
                url,
                client_name=client_name,
                timeout=timeout,
                poll_interval=poll_interval,
                print_fn=print_fn,
                save=save,
                profile=profile,
            )
            api_key = run(flow, transport)
        finally:
            transport.close()
        return cls(api_key, url)

    def call(
        self,
        capability_key: str,
        input_payload: ObjectLike | None = None,
        *,
        idempotency_key: str | None = None,
        timeout_sec: int | None = None,
        channel_context: ObjectLike | None = None,
    ) -> Job:
        """Post a job (``POST /kernel-jobs``) and return it at once.

        :param capability_key: what is to be done, such as ``test.echo.v1``.
        :param input_payload: the input, as the capability describes it.
        :param idempotency_key: a repeat with the same key returns the original job.
        :param timeout_sec: seconds after which the platform gives the job up.
        :param channel_context: where the job comes from; passed on as it is.
        :raises BadRequestError: no such capability (``unknown_capability``), or the input does not
            fit it.
        """
        call = self._creation(
            capability_key,
            input_payload,
            idempotency_key=idempotency_key,
            timeout_sec=timeout_sec,
            channel_context=channel_context,
        )
        return Job(self._request(call), self)

    def run(
        self,
        capability_key: str,
        input_payload: ObjectLike | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        poll_interval: float = DEFAULT_POLL_INTERVAL,
        idempotency_key: str | None = None,
        timeout_sec: int | None = None,
        channel_context: ObjectLike | None = None,
    ) -> JsonObject:
        """Post a job, wait for it and return its output: ``call``, ``wait`` and ``result`` in one.

        :param timeout: seconds for all of it; the job itself goes on past them.
        :param poll_interval: see :meth:`wait`; the other parameters are those of :meth:`call`.
        :raises JobFailed: the job ended other than succeeded.
        :raises JobTimeout: it did not end in time; ``job_id`` says which to go on waiting for.
        :raises httpx.HTTPError: it could not be posted in time.
        """
        call = self._creation(
            capability_key,
            input_payload,
            idempotency_key=idempotency_key,
            timeout_sec=timeout_sec,
            channel_context=channel_context,
        )
        flow = self._running(call, timeout=timeout, poll_interval=poll_interval)
        return Job(run(flow, self._transport))._output()

    def get_job(self, job_id: str) -> Job:
        """Return a job as it stands (``GET /kernel-jobs/{id}``).

        :param job_id: the job's id.
        :raises NotFoundError: there is none, or it is another agent's.
        :raises ValueError: the id is empty, ``.`` or ``..``.
        """
        return Job(self._request(api.get_job(job_id)), self)

    def wait(
        self,
        job_id: str,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        poll_interval: float = DEFAULT_POLL_INTERVAL,
        on_update: Callable[[Job], object] | None = None,
    ) -> Job:
        """Wait until a job has ended, well or not. Faults on the way do not end it.

        :param job_id: the job's id.
        :param timeout: seconds at most.
        :param poll_interval: seconds between two polls at most, where the server does not hold its
            answer back (``Prefer: wait``, RFC 7240); they begin at 0.1 s and grow.
        :param on_update: called with the job when it is first seen and whenever its status changes.
        :raises JobTimeout: it did not end in time; its cause is the last fault, if there was one.
        :raises NotFoundError: there is no such job, or it is another agent's.
        """
        flow = self._waiting(
            job_id,
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

    def job_events(self, job_id: str) -> Iterator[JobEvent]:
        """Iterate over what has happened to a job (``GET /kernel-jobs/{id}/events``), oldest first.

        :param job_id: the job's id.
        """
        yield from self._request(api.job_events(job_id))

    def capabilities(self, *, category: str | None = None) -> list[CapabilitySpec]:
        """Return the catalog (``GET /capability-specs``).

        :param category: only those of this category, an exact match.
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
    ) -> Path:
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

    def close(self) -> None:
        """Close the connections. A client that was handed in stays open."""
        self._transport.close()

    def __enter__(self) -> Self:
        """Return the client; leaving the block closes it."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close the connections."""
        self.close()

    def _request(self, call: Call[T]) -> T:
        return run(request(call, self._retry), self._transport)


HebingClient = NexusClient
"""The name that the client had first."""
