"""Webhooks: where an account's events go, their secrets, and the deliveries."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from chaojiyuyan_devserver._api.deps import Service
from chaojiyuyan_devserver._ids import new_id
from chaojiyuyan_devserver._service import KernelService
from chaojiyuyan_devserver.kernel import Refusal
from chaojiyuyan_devserver.kernel.records import Delivery

from . import read
from .csrf import OwnForm
from .page import PageRoute, language_of, page

router = APIRouter(route_class=PageRoute)

Grace = Annotated[int, Form(ge=0, le=30 * 86400)]  # seconds


def find_delivery(service: KernelService, delivery_id: str) -> Delivery:
    """Return a delivery by its id.

    Raises:
        Refusal: 404 ``delivery_not_found``.
    """
    delivery = read.find_delivery(service.store, delivery_id)
    if delivery is None:
        raise Refusal(404, "delivery_not_found", "there is no such delivery")
    return delivery


def _page(request: Request, service: KernelService, error: str = "", url: str = "") -> Response:
    kernel = service.kernel
    account_id = request.query_params.get("account") or service.ready_agent.account_id
    _require_account(service, account_id)
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
        deliveries=read.recent_deliveries(service.store, account_id=account_id),
    )


def _require_account(service: KernelService, account_id: str) -> None:
    if account_id not in service.kernel.ledger.accounts:
        raise Refusal(404, "account_not_found", "there is no such account")


def _back(account_id: str) -> Response:
    return RedirectResponse(f"/webhooks?account={account_id}", 303)


@router.get("/webhooks")
async def webhooks(request: Request, service: Service) -> Response:
    """Show an account's endpoint and deliveries; the owner's unless ``?account=`` names another."""
    await service.saved()
    return _page(request, service)


@router.post("/webhooks", dependencies=[OwnForm])
async def set_url(
    request: Request, service: Service, account: str, url: Annotated[str, Form()] = ""
) -> Response:
    """Send the account's events to this URL; an empty one stops them."""
    _require_account(service, account)
    url = url.strip()
    if url and not url.startswith(("http://", "https://")):
        return _page(request, service, language_of(request)("webhooks.not_web"), url)
    known = service.kernel.webhooks.by_account.get(account)
    service.kernel.webhooks.configure(account, url, known.secret if known else new_id("whsec"))
    await service.saved()
    return _back(account)


@router.post("/webhooks/secret", dependencies=[OwnForm])
async def rotate(service: Service, account: str, grace: Grace) -> Response:
    """Sign with a new secret; receivers accept the old one for ``grace`` seconds more."""
    webhook = service.kernel.webhooks.by_account.get(account)
    if webhook is None:
        raise Refusal(404, "webhook_not_found", "this account has no webhook")
    service.kernel.webhooks.rotate(webhook, new_id("whsec"), grace)
    await service.saved()
    return _back(account)


@router.get("/deliveries/{delivery_id}")
async def delivery_page(request: Request, service: Service, delivery_id: str) -> Response:
    """Show one delivery: its body, and how each try went."""
    await service.saved()
    delivery = find_delivery(service, delivery_id)
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
    """Send a delivery's body once more."""
    again = service.kernel.webhooks.resend(find_delivery(service, delivery_id))
    await service.saved()
    return RedirectResponse(f"/deliveries/{again.id}", 303)
