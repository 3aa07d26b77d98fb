"""What the endpoints are given: the service, the agent behind the key, the time to wait."""
# ruff: noqa: TC003 - FastAPI reads the annotations at run time

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, Request

from chaojiyuyan_devserver.kernel import Refusal
from chaojiyuyan_devserver.kernel.records import Agent
from chaojiyuyan_devserver.service import KernelService

LONGEST_WAIT = 60.0
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})\"?", re.IGNORECASE)


def service_of(request: Request) -> KernelService:
    """The service behind the app."""
    service: KernelService = request.app.state.service
    return service


def agent_of(request: Request) -> Agent:
    """The agent whose key the request carries.

    Raises:
        Refusal: 401 ``invalid_api_key``.
    """
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    agent = service_of(request).kernel.agents.authenticate(key.strip())
    if scheme.lower() != "bearer" or agent is None:
        raise Refusal(401, "invalid_api_key", "the Authorization header carries no valid agent key")
    return agent


def wait_of(request: Request) -> float | None:
    """The seconds of ``Prefer: wait`` (RFC 7240), at most 60; None without it."""
    match = _WAIT.search(request.headers.get("prefer", ""))
    return min(float(match.group(1)), LONGEST_WAIT) if match else None


def applied(wait: float | None) -> dict[str, str]:
    """The header that says that the wait was honoured."""
    return {} if wait is None else {"Preference-Applied": f"wait={wait:.0f}"}


@asynccontextmanager
async def disconnect(request: Request) -> AsyncIterator[asyncio.Future[None]]:
    """A future that is done when the client hangs up."""

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    task = asyncio.ensure_future(watch())
    try:
        yield task
    finally:
        task.cancel()


Service = Annotated[KernelService, Depends(service_of)]
Caller = Annotated[Agent, Depends(agent_of)]
Wait = Annotated["float | None", Depends(wait_of)]
