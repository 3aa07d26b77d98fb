"""The page on which a human approves a device login."""

from __future__ import annotations

import hashlib
import hmac
from html import escape
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.responses import HTMLResponse, Response

from chaojiyuyan_devserver.kernel import Refusal
from chaojiyuyan_devserver.service import KernelService

from .bodies import Decision
from .deps import Service

router = APIRouter(include_in_schema=False)

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 4rem auto }}
code {{ font-size: 1.4em }}
button, input {{ font: inherit; padding: .4em 1em }}
</style>
<h1>{title}</h1>
{body}
</html>
"""


def csrf_token(service: KernelService, purpose: str) -> str:
    """A form's token: another site cannot read our pages, so it cannot know it."""
    return hmac.new(service.form_secret, purpose.encode(), hashlib.sha256).hexdigest()


def check_csrf(service: KernelService, purpose: str, token: str) -> None:
    """Refuse a form that is not one of our own.

    Raises:
        Refusal: 403 ``bad_csrf_token``.
    """
    if not hmac.compare_digest(csrf_token(service, purpose).encode(), token.encode()):
        raise Refusal(403, "bad_csrf_token", "this form did not come from this server's own page")


@router.get("/activate")
async def show(service: Service, code: str = "") -> Response:
    """The approval form for a code, or one that asks for the code."""
    login = service.kernel.logins.find(code, service.clock())
    if login is None:
        hint = "<p>This code is unknown, used or expired.</p>" if code else ""
        form = (
            '<form method="get"><label>Code <input name="code" autofocus required></label>'
            " <button>Continue</button></form>"
        )
        return _page("Enter the code", hint + form, 404 if code else 200)
    csrf = csrf_token(service, f"activate {login.user_code}")
    return _page(
        "Connect a program",
        f"<p><strong>{escape(login.client_name)}</strong> asks for an agent key.</p>"
        f"<p>Approve only if it shows this code:</p><p><code>{login.user_code}</code></p>"
        '<form method="post" action="/activate">'
        f'<input type="hidden" name="code" value="{login.user_code}">'
        f'<input type="hidden" name="csrf_token" value="{csrf}">'
        '<button name="decision" value="approve">Approve</button> '
        '<button name="decision" value="deny">Deny</button></form>',
    )


@router.post("/activate")
async def decide(
    service: Service,
    code: Annotated[str, Form()],
    csrf_token: Annotated[str, Form()] = "",
    decision: Annotated[Decision, Form()] = "approve",
) -> Response:
    """Approve or deny a login."""
    check_csrf(service, f"activate {code}", csrf_token)
    service.kernel.logins.decide(code, decision == "approve", service.clock())
    await service.saved()
    if decision == "approve":
        return _page("Approved", "<p>You can close this page; the program goes on by itself.</p>")
    return _page("Denied", "<p>The program got no key.</p>")


def _page(title: str, body: str, status: int = 200) -> Response:
    return HTMLResponse(_PAGE.format(title=title, body=body), status)
