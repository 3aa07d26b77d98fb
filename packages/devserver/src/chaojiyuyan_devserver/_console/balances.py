"""Balances: the accounts and the transfers between them."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

from chaojiyuyan_devserver._api.deps import Service
from chaojiyuyan_devserver._store import list_transfers

from .page import page, router


@router.get("/balances")
async def balances(request: Request, service: Service) -> Response:
    """Show all accounts and the newest transfers."""
    accounts = service.kernel.ledger.accounts
    return page(
        request,
        "balances.html",
        live=("Account",),
        accounts=accounts,
        total=sum(account.available_nc + account.held_nc for account in accounts.values()),
        transfers=list_transfers(service.store),
    )
