"""Forms are taken only from this server's own pages."""

from __future__ import annotations

import hashlib
import hmac
from typing import Annotated

from fastapi import Depends, Form

from chaojiyuyan_devserver._api.deps import Service
from chaojiyuyan_devserver._service import KernelService
from chaojiyuyan_devserver.kernel import Refusal


def form_token(service: KernelService) -> str:
    """Return the token in every form: another site cannot read our pages, so it cannot know it."""
    return hmac.new(service.form_secret, b"form", hashlib.sha256).hexdigest()


def check_form(service: Service, csrf_token: Annotated[str, Form()] = "") -> None:
    """Refuse a form that is not one of our own.

    Raises:
        Refusal: 403 ``bad_csrf_token``.
    """
    if not hmac.compare_digest(form_token(service).encode(), csrf_token.encode()):
        raise Refusal(
            403,
            "bad_csrf_token",
            "this form did not come from this server's own page, or the server was restarted",
        )


OwnForm = Depends(check_form)
