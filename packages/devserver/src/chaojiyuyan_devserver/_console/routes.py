"""All pages of the console under one router."""

from __future__ import annotations

from fastapi import APIRouter

from . import (
    activate,
    assets,
    balances,
    capabilities,
    enter,
    job,
    jobs,
    keys,
    live,
    overview,
    simulate,
    webhooks,
    workers,
)

ROUTERS = [
    module.router
    for module in (
        overview,
        activate,
        keys,
        capabilities,
        jobs,
        job,
        workers,
        webhooks,
        balances,
        simulate,
        live,
        enter,
        assets,
    )
]

router = APIRouter(include_in_schema=False)
for part in ROUTERS:
    router.include_router(part)
