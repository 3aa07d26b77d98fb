"""The client for callers: post jobs, wait for them, fetch what they made."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, TypeVar

from chaojiyuyan_core import api
from chaojiyuyan_core.addresses import DEFAULT_BASE_URL, checked_api_key, checked_base_url
from chaojiyuyan_core.flow import request, run
from chaojiyuyan_core.retry import Retry
from chaojiyuyan_core.settings import load_settings
from chaojiyuyan_core.transport import Requests, Transport

from .job import DEFAULT_POLL_INTERVAL, DEFAULT_TIMEOUT, Job
from .waiting import wait_for_job

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx
    from typing_extensions import Self

    from chaojiyuyan_core.api import Call
    from chaojiyuyan_core.models import CapabilitySpec, JobData

T = TypeVar("T")


class NexusClient:
    """The platform as a caller sees it."""

    DEFAULT_BASE_URL: ClassVar[str] = DEFAULT_BASE_URL

    def __init__(
        self,
        api_key: str,
        base_url: str | None = None,
        *,
        timeout: float = 30.0,
        max_retries: int = 2,
        auto_idempotency: bool = True,
        http_client: httpx.Client | None = None,
    ) -> None:
        self.api_key = checked_api_key(api_key)
        self.base_url = checked_base_url(base_url)
        self._retry = Retry(max_retries)
        self._auto_idempotency = auto_idempotency
        self._transport = Transport(
            Requests(self.api_key, self.base_url, timeout=timeout), http_client=http_client
        )

    @classmethod
    def from_env(cls, *, profile: str | None = None) -> Self:
        settings = load_settings(profile=profile)
        return cls(settings.api_key, settings.base_url)

    def call(
        self,
        capability_key: str,
        input_payload: Mapping[str, object] | None = None,
        *,
        idempotency_key: str | None = None,
        timeout_sec: int | None = None,
        channel_context: Mapping[str, object] | None = None,
    ) -> Job:
        if idempotency_key is None and self._auto_idempotency:
            import os

            idempotency_key = os.urandom(16).hex()
        call = api.create_job(
            capability_key,
            {} if input_payload is None else input_payload,
            idempotency_key=idempotency_key,
            timeout_sec=timeout_sec,
            channel_context=channel_context,
        )
        return Job(self._request(call), self)

    def get_job(self, job_id: str) -> Job:
        return Job(self._request(api.get_job(job_id)), self)

    def wait(
        self,
        job_id: str,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        poll_interval: float = DEFAULT_POLL_INTERVAL,
        on_update: Callable[[Job], object] | None = None,
    ) -> Job:
        def tell(data: JobData) -> None:
            if on_update is not None:
                on_update(Job(data, self))

        flow = wait_for_job(
            job_id,
            timeout=timeout,
            poll_interval=poll_interval,
            retry=self._retry,
            now=time.monotonic,
            on_update=tell,
        )
        return Job(run(flow, self._transport), self)

    def capabilities(self, *, category: str | None = None) -> list[CapabilitySpec]:
        return self._request(api.list_capabilities(category=category))

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _request(self, call: Call[T]) -> T:
        return run(request(call, self._retry), self._transport)


HebingClient = NexusClient
"""The name that the client had first."""
