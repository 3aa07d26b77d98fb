"""The client for callers: post jobs, wait for them, fetch what they made."""

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
    """The platform as a caller sees it. Safe to share between threads.

    Every method raises :class:`~chaojiyuyan_core.errors.HebingAPIError` where the API refuses and
    ``httpx.HTTPError`` where it is not reached, after the retries.

    Args:
        api_key: The agent key (``nxt_ag_…``).
        base_url: The platform's base URL; production by default. Plain http to another machine
            warns.
        timeout: Seconds without progress after which a request ends, in any form that httpx takes:
            a number, None for no limit, an ``httpx.Timeout`` or a tuple. A request ends after five
            minutes in any case, or after the timeout where that is longer.
        max_retries: Attempts after the first, for what may be repeated; 0 turns retrying off.
        auto_idempotency: Whether :meth:`call` makes an idempotency key where it is given none, so
            that it may be repeated.
        max_response_bytes: Maximum size of an answer in bytes, decoded; 64 MiB by default.
        budget_nc: What this client and its :meth:`with_options` copies may order in all, in nc;
            None for any amount. An order that does not fit raises
            :class:`~chaojiyuyan_core.errors.BudgetExceeded` before it is sent.
        send_traceparent: Whether the OpenTelemetry trace travels with a job, in its
            `channel_context`; whoever works on the job sees it.
        http_client: An ``httpx.Client`` to use; its own base URL, headers and timeout win, and it
            is not closed with this one.

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
        """Log in by a browser (RFC 8628), and make a client of the key.

        Args:
            base_url: The platform's base URL; production by default.
            client_name: What the person who approves is told.
            timeout: Seconds until the login is given up.
            poll_interval: Seconds between two polls where the server names none.
            print_fn: A function that takes the lines to be shown; ``print`` by default.
            save: Whether to keep the key in the credentials file. A key that was approved and then
                cannot be saved is shown.
            profile: The profile to keep it in.

        Raises:
            DeviceFlowError: The login was denied, or has expired.
            DeviceFlowTimeout: Nobody approved it in time.
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
        """Close the connections. A client that was handed in stays open."""
        self._transport.close()

    def __enter__(self) -> Self:
        """Return the client; leaving the block closes it."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close the connections."""
        self.close()


HebingClient = NexusClient
"""The name that the client had first."""
