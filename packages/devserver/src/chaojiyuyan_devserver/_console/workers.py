"""Workers: their capabilities, their running jobs, and when they were last seen."""

from __future__ import annotations

from collections import defaultdict

from fastapi import Request
from starlette.responses import Response

from chaojiyuyan_devserver._api.deps import Service
from chaojiyuyan_devserver.kernel.records import Job

from .page import page, router

AWAY_AFTER = 120
"""Seconds without a request after which a worker is away; a long-poll may take 60."""


@router.get("/workers")
async def workers(request: Request, service: Service) -> Response:
    """Show all workers, the most recently seen first."""
    held: dict[str, list[Job]] = defaultdict(list)
    for job in service.kernel.jobs.board.jobs.values():
        if job.lease is not None:
            held[job.lease.agent_id].append(job)
    known = [agent for agent in service.kernel.agents.by_id.values() if agent.handler_set]
    known.sort(key=lambda agent: agent.last_seen_at or 0.0, reverse=True)
    return page(
        request,
        "workers.html",
        live=("Agent", "Attempt"),
        every=5,  # a poll that finds nothing is not recorded
        workers=known,
        held=held,
        away_after=AWAY_AFTER,
    )
