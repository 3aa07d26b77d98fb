"""Agent keys: create, rename and revoke them. A key is shown only once."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form, Request
from starlette.responses import RedirectResponse, Response

from chaojiyuyan_devserver._api.deps import Service
from chaojiyuyan_devserver._service import KernelService
from chaojiyuyan_devserver.kernel.records import Agent

from .entry import OwnForm
from .page import page, router

Name = Annotated[str, Form(max_length=200, pattern=r"\S")]


def _list(request: Request, service: KernelService, made: tuple[Agent, str] | None) -> Response:
    everyone = sorted(
        service.kernel.agents.by_id.values(),
        key=lambda a: (a.revoked_at is not None, -a.created_at),
    )
    return page(
        request,
        "keys.html",
        live=("Agent",),
        made=made,
        everyone=everyone,
        accounts=service.kernel.ledger.accounts,
        own_account=service.ready_agent.account_id,
    )


@router.get("/keys")
async def keys(request: Request, service: Service) -> Response:
    """Show all keys."""
    return _list(request, service, None)


@router.post("/keys", dependencies=[OwnForm])
async def make_key(
    request: Request,
    service: Service,
    name: Name,
    account: Annotated[str, Form()] = "own",
) -> Response:
    """Create a key and show it; no other page shows it."""
    account_id = service.ready_agent.account_id if account == "own" else None
    return _list(request, service, await service.create_agent(name, account_id=account_id))


@router.get("/keys/{agent_id}")
async def key_page(request: Request, service: Service, agent_id: str) -> Response:
    """Show one key."""
    agent = service.kernel.agents.require(agent_id)
    account = service.kernel.ledger.accounts[agent.account_id]
    return page(
        request,
        "key.html",
        live=("Agent", "Account"),
        agent=agent,
        account=account,
        is_ready=agent is service.ready_agent,
    )


@router.post("/keys/{agent_id}/name", dependencies=[OwnForm])
async def rename_key(service: Service, agent_id: str, name: Name) -> Response:
    """Rename a key."""
    agents = service.kernel.agents
    agents.rename(agents.require(agent_id), name)
    return RedirectResponse(f"/keys/{agent_id}", 303)


@router.post("/keys/{agent_id}/revoke", dependencies=[OwnForm])
async def revoke_key(service: Service, agent_id: str) -> Response:
    """Revoke a key."""
    service.kernel.agents.revoke(agent_id, service.clock())
    return RedirectResponse(f"/keys/{agent_id}", 303)
