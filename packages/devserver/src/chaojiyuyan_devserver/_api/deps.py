"""FastAPI's dependencies for the operations, the control endpoints and the console's pages."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Path, Request

from chaojiyuyan_devserver._service import KernelService
from chaojiyuyan_devserver.kernel import Refusal
from chaojiyuyan_devserver.kernel.records import Agent

MAX_WAIT = 60.0
"""The longest ``Prefer: wait``, in seconds."""
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})\"?(?:$|[,;\s])", re.IGNORECASE | re.ASCII)


def get_service(request: Request) -> KernelService:
    """Return the service behind the application."""
    service: KernelService = request.app.state.service
    return service


async def authenticate(request: Request) -> Agent:
    """Return the agent whose key is in the request's ``Authorization`` header.

    Raises:
        Refusal: 401 ``invalid_api_key``, if there is no valid key.
    """
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    agent = get_service(request).kernel.agents.authenticate(key.strip())
    if agent is None or scheme.lower() != "bearer":
        text = "The Authorization header has no valid agent key."
        raise Refusal(401, "invalid_api_key", text)
    return agent


@dataclass(frozen=True)
class Wait:
    """A client's ``Prefer: wait`` (RFC 7240).

    Attributes:
        request: The request.
        seconds: How long the response may wait, at most ``MAX_WAIT``; None without the header.
    """

    request: Request
    seconds: float | None

    @property
    def headers(self) -> dict[str, str]:
        """The response headers that say the wait was applied."""
        if self.seconds is None:
            return {}
        return {"preference-applied": f"wait={self.seconds:.0f}"}

    @asynccontextmanager
    async def watch_client(self) -> AsyncIterator[asyncio.Future[None]]:
        """Yield a future that is done once the client has closed the connection."""

        async def watch() -> None:
            while (await self.request.receive())["type"] != "http.disconnect":
                pass

        watching = asyncio.ensure_future(watch())
        try:
            yield watching
        finally:
            watching.cancel()


async def _get_wait(
    request: Request,
    prefer: Annotated[
        str | None,
        Header(
            description="`wait=<seconds>`, at most 60: answer when the event happens.",
            examples=["wait=2"],
        ),
    ] = None,
) -> Wait:
    match = _WAIT.search(prefer or "")
    return Wait(request, min(float(match[1]), MAX_WAIT) if match else None)


# These are coroutine functions, because FastAPI runs other functions in threads.
async def _get_service(request: Request) -> KernelService:
    return get_service(request)


Service = Annotated[KernelService, Depends(_get_service)]
Waiting = Annotated[Wait, Depends(_get_wait)]
Caller = Annotated[Agent, Depends(authenticate)]
JobId = Annotated[str, Path(min_length=1, pattern="^[^/]+$", description="The job's id.")]
