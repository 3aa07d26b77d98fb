"""Webhooks: the accounts' endpoints, their secrets, and the deliveries."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import Form, Request
from starlette.responses import RedirectResponse, Response

from chaojiyuyan_devserver._api.deps import Service
from chaojiyuyan_devserver._ids import new_id
from chaojiyuyan_devserver._service import KernelService
from chaojiyuyan_devserver._store import list_deliveries
from chaojiyuyan_devserver.kernel import Refusal
from chaojiyuyan_devserver.kernel.records import Delivery

from .entry import OwnForm
from .page import language_of, page, router

Grace = Annotated[int, Form(ge=0, le=30 * 86400)]  # seconds


def _require_delivery(service: KernelService, delivery_id: str) -> Delivery:
    found = list_deliveries(service.store, "WHERE id = ?", delivery_id)
    if not found:
        raise Refusal(404, "delivery_not_found", "There is no such delivery.")
    return found[0]


def _page(request: Request, service: KernelService, error: str = "", url: str = "") -> Response:
    kernel = service.kernel
    account_id = request.query_params.get("account") or service.ready_agent.account_id
    kernel.ledger.require(account_id)
    webhook = kernel.webhooks.by_account.get(account_id)
    return page(
        request,
        "webhooks.html",
        status=400 if error else 200,
        live=("Delivery", "Webhook"),
        accounts=kernel.ledger.accounts,
        account_id=account_id,
        webhook=webhook,
        url=url or (webhook.url if webhook else ""),
        error=error,
        deliveries=list_deliveries(service.store, "WHERE account_id = ?", account_id),
    )


def _back(account_id: str) -> Response:
    return RedirectResponse(f"/webhooks?account={account_id}", 303)


@router.get("/webhooks")
async def webhooks(request: Request, service: Service) -> Response:
    """Show the endpoint and deliveries of ``?account=``, by default the ready agent's account."""
    return _page(request, service)


@router.post("/webhooks", dependencies=[OwnForm])
async def set_url(
    request: Request, service: Service, account: str, url: Annotated[str, Form()] = ""
) -> Response:
    """Set the URL for the account's events; an empty URL stops them."""
    service.kernel.ledger.require(account)
    url = url.strip()
    if url and not url.startswith(("http://", "https://")):
        return _page(request, service, language_of(request)("webhooks.not_web"), url)
    known = service.kernel.webhooks.by_account.get(account)
    service.kernel.webhooks.configure(account, url, known.secret if known else new_id("whsec"))
    return _back(account)


@router.post("/webhooks/secret", dependencies=[OwnForm])
async def rotate(service: Service, account: str, grace: Grace) -> Response:
    """Sign with a new secret; receivers accept the old one for another ``grace`` seconds."""
    webhooks = service.kernel.webhooks
    webhooks.rotate(webhooks.require(account), new_id("whsec"), grace)
    return _back(account)


@router.get("/deliveries/{delivery_id}")
async def delivery_page(request: Request, service: Service, delivery_id: str) -> Response:
    """Show one delivery: its body and the result of each try."""
    delivery = _require_delivery(service, delivery_id)
    return page(
        request,
        "delivery.html",
        live=("Delivery",),
        delivery=delivery,
        body=json.loads(delivery.body),
        signature=service.kernel.webhooks.signature(delivery),
    )


@router.post("/deliveries/{delivery_id}/resend", dependencies=[OwnForm])
async def resend(service: Service, delivery_id: str) -> Response:
    """Send a delivery's body again."""
    again = service.kernel.webhooks.resend(_require_delivery(service, delivery_id))
    return RedirectResponse(f"/deliveries/{again.id}", 303)
