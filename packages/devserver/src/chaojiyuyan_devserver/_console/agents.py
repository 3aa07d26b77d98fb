"""Agents: the workers, the keys, and the device logins that make keys."""

from collections import defaultdict
from typing import Annotated, Literal

from fastapi import Form
from starlette.responses import RedirectResponse, Response

from chaojiyuyan_devserver.kernel.records import Agent, Job

from .page import Page, form, router

AWAY_AFTER = 120
"""Seconds without a request after which a worker is away; a long-poll may take 60."""

Name = Annotated[str, Form(max_length=200, pattern=r"\S")]


@router.get("/workers")
async def workers(page: Page) -> Response:
    """Show all workers, the most recently seen first."""
    held: dict[str, list[Job]] = defaultdict(list)
    for job in page.kernel.jobs.board.jobs.values():
        if job.lease is not None:
            held[job.lease.agent_id].append(job)
    known = [agent for agent in page.kernel.agents.by_id.values() if agent.handler_set]
    known.sort(key=lambda agent: agent.last_seen_at or 0.0, reverse=True)
    return page.render(
        "workers.html",
        live=("Agent", "Attempt"),
        every=5,  # a poll that finds nothing is not recorded
        workers=known,
        held=held,
        away_after=AWAY_AFTER,
    )


def _show_keys(page: Page, made: tuple[Agent, str] | None) -> Response:
    agents = page.kernel.agents.by_id.values()
    return page.render(
        "keys.html",
        live=("Agent",),
        made=made,
        everyone=sorted(agents, key=lambda a: (a.revoked_at is not None, -a.created_at)),
        accounts=page.kernel.ledger.accounts,
        own_account=page.service.ready_agent.account_id,
    )


@router.get("/keys")
async def keys(page: Page) -> Response:
    return _show_keys(page, None)


@form("/keys")
async def make_key(page: Page, name: Name, account: Annotated[str, Form()] = "own") -> Response:
    """Create a key and show it; no other page shows it."""
    account_id = page.service.ready_agent.account_id if account == "own" else None
    return _show_keys(page, await page.service.create_agent(name, account_id=account_id))


@router.get("/keys/{agent_id}")
async def key_page(page: Page, agent_id: str) -> Response:
    agent = page.kernel.agents.require(agent_id)
    return page.render(
        "key.html",
        live=("Agent", "Account"),
        agent=agent,
        account=page.kernel.ledger.accounts[agent.account_id],
        is_ready=agent is page.service.ready_agent,
    )


@form("/keys/{agent_id}/name")
async def rename_key(page: Page, agent_id: str, name: Name) -> Response:
    page.kernel.agents.rename(page.kernel.agents.require(agent_id), name)
    return RedirectResponse(f"/keys/{agent_id}", 303)


@form("/keys/{agent_id}/revoke")
async def revoke_key(page: Page, agent_id: str) -> Response:
    page.kernel.agents.revoke(agent_id, page.now)
    return RedirectResponse(f"/keys/{agent_id}", 303)


@router.get("/activate")
async def ask(page: Page, code: str = "") -> Response:
    """Show the approval form for a login's code, or one that asks for the code (RFC 8628)."""
    login = page.kernel.logins.find(code, page.now)
    if login is None:
        return page.render("activate_code.html", status=404 if code else 200, code=code)
    return page.render("activate.html", login=login)


@form("/activate")
async def decide(
    page: Page,
    code: Annotated[str, Form()],
    decision: Annotated[Literal["approve", "deny"], Form()] = "approve",
) -> Response:
    login = page.kernel.logins.decide(code, decision == "approve", page.now)
    return page.render("activate_done.html", login=login)
