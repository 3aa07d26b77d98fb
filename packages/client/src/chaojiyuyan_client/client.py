"""The client for callers: order jobs, wait for them and read their results."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from chaojiyuyan_core.addresses import checked_base_url
from chaojiyuyan_core.annotations import Self
from chaojiyuyan_core.http import (
    DEFAULT_MAX_RESPONSE_BYTES,
    RequestBuilder,
    TimeoutTypes,
    Transport,
    run,
)

from ._orders import Orders

if TYPE_CHECKING:
    import httpx
else:
    from chaojiyuyan_core.annotations import httpx


class NexusClient(Orders):
    """The client for callers. It can be shared between threads.

    Every method raises :class:`~chaojiyuyan_core.errors.HebingAPIError` when the API refuses a
    request, and ``httpx.HTTPError`` when the platform cannot be reached, both after the retries.

    Args:
        api_key: The agent key (``nxt_ag_…``).
        base_url: The base URL of the platform, by default the production platform. Plain http to
            another machine gives a warning.
        timeout: Seconds for each of connect, write and read, in any form that httpx accepts:
            a number, None for no limit, an ``httpx.Timeout`` or a tuple. The maximum for a whole
            request is five minutes, or the timeout when that is longer.
        max_retries: Maximum number of retries of a request that is safe to repeat; 0 disables
            retries.
        auto_idempotency: Whether :meth:`call` generates an idempotency key when none is given, so
            that the order is safe to repeat.
        max_response_bytes: Maximum size of a decoded response in bytes, by default 64 MiB.
        budget_nc: Maximum total price in nc of the orders of this client and its
            :meth:`with_options` copies; None for no limit. An order that exceeds it raises
            :class:`~chaojiyuyan_core.errors.BudgetExceeded` before it is sent.
        send_traceparent: Whether to send the OpenTelemetry trace context with a job, in its
            `channel_context`. The worker of the job can read it.
        http_client: An ``httpx.Client`` to use. Its own base URL, headers and timeout win. This
            client does not close it.

    Raises:
        ValueError: The key is blank, or the base URL or a limit is invalid.
        TypeError: The HTTP client is not an ``httpx.Client``.
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
        budget_nc: int | None = None,
        send_traceparent: bool = True,
        http_client: httpx.Client | None = None,
    ) -> None:
        super().__init__(
            api_key,
            base_url,
            timeout=timeout,
            max_retries=max_retries,
            auto_idempotency=auto_idempotency,
            budget_nc=budget_nc,
            send_traceparent=send_traceparent,
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
        """Log in with a browser (RFC 8628), and return a client with the new key.

        Args:
            base_url: The base URL of the platform, by default the production platform.
            client_name: The name of this program on the page that approves the login.
            timeout: Maximum seconds to wait for the approval.
            poll_interval: Seconds between two polls when the server does not set the interval.
            print_fn: A function that is called with each line to show, by default ``print``.
            save: Whether to save the key in the credentials file. A key that cannot be saved is
                shown instead.
            profile: The profile of the credentials file.

        Raises:
            DeviceFlowError: The login was denied or has expired.
            DeviceFlowTimeout: Nobody approved the login in time.
            CredentialsError: The credentials file cannot be read or written.
        """
        from ._login import device_login

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

    def close(self) -> None:
        """Close the connections. An `http_client` that was passed in stays open."""
        self._transport.close()

    def __enter__(self) -> Self:
        """Return the client, which is closed at the end of the block."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close the connections."""
        self.close()


HebingClient = NexusClient
"""The earlier name of the client."""
