"""Accounts: their balances, the transfers between them, their webhooks and the deliveries."""

import json
from typing import Annotated

from fastapi import Form
from starlette.responses import RedirectResponse, Response

from chaojiyuyan_devserver._ids import new_id
from chaojiyuyan_devserver._store.queries import list_deliveries, list_transfers
from chaojiyuyan_devserver.kernel import Refusal
from chaojiyuyan_devserver.kernel.records import Delivery

from .page import Page, form, router

Grace = Annotated[int, Form(ge=0, le=30 * 86400)]  # seconds


@router.get("/balances")
async def balances(page: Page) -> Response:
    accounts = page.kernel.ledger.accounts
    return page.render(
        "balances.html",
        live=("Account",),
        accounts=accounts,
        total=sum(account.available_nc + account.held_nc for account in accounts.values()),
        transfers=list_transfers(page.service.store),
    )


def _show_webhooks(page: Page, account: str, error: str = "", url: str = "") -> Response:
    page.kernel.ledger.require(account)
    webhook = page.kernel.webhooks.by_account.get(account)
    return page.render(
        "webhooks.html",
        status=400 if error else 200,
        live=("Delivery", "Webhook"),
        accounts=page.kernel.ledger.accounts,
        account_id=account,
        webhook=webhook,
        url=url or (webhook.url if webhook else ""),
        error=error,
        deliveries=list_deliveries(page.service.store, "WHERE account_id = ?", account),
    )


@router.get("/webhooks")
async def webhooks(page: Page, account: str = "") -> Response:
    """Show the endpoint and deliveries of an account, by default the ready agent's."""
    return _show_webhooks(page, account or page.service.ready_agent.account_id)


@form("/webhooks")
async def set_url(page: Page, account: str, url: Annotated[str, Form()] = "") -> Response:
    """Set the URL for the account's events; an empty URL stops them."""
    page.kernel.ledger.require(account)
    url = url.strip()
    if url and not url.startswith(("http://", "https://")):
        return _show_webhooks(page, account, page.language("webhooks.not_web"), url)
    known = page.kernel.webhooks.by_account.get(account)
    page.kernel.webhooks.configure(account, url, known.secret if known else new_id("whsec"))
    return RedirectResponse(f"/webhooks?account={account}", 303)


@form("/webhooks/secret")
async def rotate(page: Page, account: str, grace: Grace) -> Response:
    """Sign with a new secret; receivers accept the old one for another ``grace`` seconds."""
    webhooks = page.kernel.webhooks
    webhooks.rotate(webhooks.require(account), new_id("whsec"), grace)
    return RedirectResponse(f"/webhooks?account={account}", 303)


def _require_delivery(page: Page, delivery_id: str) -> Delivery:
    found = list_deliveries(page.service.store, "WHERE id = ?", delivery_id)
    if not found:
        raise Refusal(404, "delivery_not_found", "There is no such delivery.")
    return found[0]


@router.get("/deliveries/{delivery_id}")
async def delivery_page(page: Page, delivery_id: str) -> Response:
    """Show one delivery: its body and the result of each try."""
    delivery = _require_delivery(page, delivery_id)
    return page.render(
        "delivery.html",
        live=("Delivery",),
        delivery=delivery,
        body=json.loads(delivery.body),
        signature=page.kernel.webhooks.signature(delivery),
    )


@form("/deliveries/{delivery_id}/resend")
async def resend(page: Page, delivery_id: str) -> Response:
    again = page.kernel.webhooks.resend(_require_delivery(page, delivery_id))
    return RedirectResponse(f"/deliveries/{again.id}", 303)
