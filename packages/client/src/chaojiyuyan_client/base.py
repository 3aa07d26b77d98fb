"""What the sync and the async client share: how they are made, and what they send."""

from __future__ import annotations

import os
import time
from copy import copy
from typing import TYPE_CHECKING, ClassVar

from chaojiyuyan_core import api
from chaojiyuyan_core.addresses import DEFAULT_BASE_URL, checked_api_key, checked_base_url
from chaojiyuyan_core.http import Flow, RequestBuilder, Retry, check_seconds, request
from chaojiyuyan_core.redaction import mask_key

from ._arguments import to_object
from .waiting import wait_for_job

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from chaojiyuyan_core.api import Call
    from chaojiyuyan_core.http import AsyncTransport, TimeoutTypes, Transport
    from chaojiyuyan_core.models import JobData

    from ._arguments import ObjectLike


class ClientBase:
    """The options of a client, and the calls that it makes of its methods' arguments.

    :ivar api_key: the agent key.
    :ivar base_url: the platform's base URL, without a trailing slash.
    :ivar timeout: seconds without progress after which a request ends, as it was passed.
    :ivar max_retries: attempts after the first for what may be repeated.
    """

    DEFAULT_BASE_URL: ClassVar[str] = DEFAULT_BASE_URL

    api_key: str
    base_url: str
    timeout: TimeoutTypes
    max_retries: int
    _transport: Transport | AsyncTransport

    def __init__(
        self,
        api_key: str,
        base_url: str | None = None,
        *,
        timeout: TimeoutTypes = 30.0,
        max_retries: int = 2,
        auto_idempotency: bool = True,
    ) -> None:
        self.api_key = checked_api_key(api_key)
        self.base_url = checked_base_url(base_url or self.DEFAULT_BASE_URL)
        self._auto_idempotency = auto_idempotency
        self.timeout = timeout
        self._builder = RequestBuilder(self.api_key, self.base_url, timeout=timeout)
        self._set_retries(max_retries)

    @classmethod
    def from_env(cls, *, profile: str | None = None) -> Self:
        """Make a client of the environment's key, else of the credentials file's.

        :param profile: the profile; ``CHAOJIYUYAN_PROFILE``, then ``default``.
        :raises ValueError: there is no key.
        """
        from chaojiyuyan_core.settings import load_settings

        settings = load_settings(profile=profile)
        is_default = settings.base_url_source == "default"
        return cls(settings.api_key, None if is_default else settings.base_url)

    def with_options(self, *, timeout: TimeoutTypes = None, max_retries: int | None = None) -> Self:
        """Return a client with other limits on the same connections, which stay this one's.

        :param timeout: seconds without progress after which a request ends; None leaves it.
        :param max_retries: attempts after the first; None leaves it.
        """
        other = copy(self)
        if timeout is not None:
            other.timeout = timeout
            other._builder = self._builder.with_timeout(timeout)
        if max_retries is not None:
            other._set_retries(max_retries)
        other._transport = self._transport.sharing(other._builder)
        return other

    def _set_retries(self, max_retries: int) -> None:
        if max_retries < 0:
            raise ValueError(f"max_retries must be 0 or more, not {max_retries!r}")
        self.max_retries = max_retries
        self._retry = Retry(max_retries)

    def __repr__(self) -> str:
        """Tell which platform and which key, the key masked."""
        # A client whose making failed has neither, and must not fail again in a debugger.
        base_url = getattr(self, "base_url", None)
        api_key = mask_key(getattr(self, "api_key", ""))
        return f"<{type(self).__name__} base_url={base_url!r} api_key={api_key!r}>"

    def _creation(
        self,
        capability_key: str,
        input_payload: ObjectLike | None,
        *,
        idempotency_key: str | None,
        timeout_sec: int | None,
        channel_context: ObjectLike | None,
    ) -> Call[JobData]:
        if idempotency_key is None and self._auto_idempotency:
            # Made once a call, outside the retries: whatever is lost, there is one job.
            idempotency_key = os.urandom(16).hex()
        return api.create_job(
            capability_key,
            to_object("input_payload", input_payload),
            idempotency_key=idempotency_key,
            timeout_sec=timeout_sec,
            channel_context=(
                None if channel_context is None else to_object("channel_context", channel_context)
            ),
        )

    def _waiting(
        self,
        job_id: str,
        *,
        timeout: float,
        poll_interval: float,
        since: float | None = None,
        on_update: Callable[[JobData], object] | None = None,
    ) -> Flow[JobData]:
        return wait_for_job(
            job_id,
            timeout=timeout,
            poll_interval=poll_interval,
            retry=self._retry,
            now=time.monotonic,
            since=since,
            on_update=on_update,
        )

    def _running(
        self, call: Call[JobData], *, timeout: float, poll_interval: float
    ) -> Flow[JobData]:
        check_seconds("timeout", timeout)
        began = time.monotonic()
        job = yield from request(call, self._retry, left=lambda: began + timeout - time.monotonic())
        waiting = self._waiting(
            job["id"], timeout=timeout, poll_interval=poll_interval, since=began
        )
        return (yield from waiting)
