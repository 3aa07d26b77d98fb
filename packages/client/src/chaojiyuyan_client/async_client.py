"""The async client, with the same methods as the sync client."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from chaojiyuyan_core.addresses import checked_base_url
from chaojiyuyan_core.annotations import Self
from chaojiyuyan_core.http import (
    DEFAULT_MAX_RESPONSE_BYTES,
    AsyncTransport,
    RequestBuilder,
    TimeoutTypes,
    run_async,
)

from ._orders import AsyncOrders

if TYPE_CHECKING:
    import httpx
else:
    from chaojiyuyan_core.annotations import httpx


class AsyncNexusClient(AsyncOrders):
    """The async client for callers, on asyncio or trio.

    Names, parameters, defaults and errors are the same as those of :class:`NexusClient` and are
    described there. Methods with I/O are awaited, listings are async iterators, and jobs are
    :class:`AsyncJob` objects.

    Args:
        http_client: An ``httpx.AsyncClient`` to use. Its own base URL, headers and timeout win.
            This client does not close it.
    """

    _transport: AsyncTransport

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
        http_client: httpx.AsyncClient | None = None,
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
        self._transport = AsyncTransport(
            self._builder, http_client, max_response_bytes=max_response_bytes
        )
        self._builder = self._transport.builder
        if http_client is not None:
            self.timeout = http_client.timeout

    @classmethod
    async def login_device_flow(
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
        """Log in with a browser (RFC 8628); see :meth:`NexusClient.login_device_flow`."""
        from ._login import device_login

        url = checked_base_url(base_url or cls.DEFAULT_BASE_URL)
        transport = AsyncTransport(RequestBuilder(None, url))
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
            api_key = await run_async(flow, transport)
        finally:
            await transport.close()
        return cls(api_key, url)

    async def close(self) -> None:
        """Close the connections. An `http_client` that was passed in stays open."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        """Return the client, which is closed at the end of the block."""
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close the connections."""
        await self.close()
