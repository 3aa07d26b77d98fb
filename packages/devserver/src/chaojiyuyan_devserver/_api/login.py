"""The operations of the device login (RFC 8628)."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from .bodies import Login, LoginRequest, Token, TokenRequest
from .deps import Service
from .route import ApiRoute, answer, document

router = APIRouter(route_class=ApiRoute)


@router.post("/oauth/device/authorize", name="authorize", **document({200: Login}, needs_key=False))
async def authorize(request: Request, service: Service, body: LoginRequest) -> Response:
    """Start a device login."""
    login, device_code = service.start_login(body.client_name)
    url = f"{request.url.scheme}://{request.headers['host']}/activate"
    return answer(
        {
            "device_code": device_code,
            "user_code": login.user_code,
            "verification_url": url,
            "verification_url_complete": f"{url}?code={login.user_code}",
            "expires_in": round(login.expires_at - service.clock()),
            "interval": login.interval,
        }
    )


@router.post(
    "/oauth/device/token",
    name="token",
    **document(
        {200: Token},
        {
            410: ("expired_token", "access_denied"),
            428: ("authorization_pending",),
            429: ("slow_down",),
        },
        needs_key=False,
    ),
)
async def token(service: Service, body: TokenRequest) -> Response:
    """Poll for the key: 428 while pending, 429 if polled too fast, 410 if denied or expired."""
    agent, api_key = await service.finish_login(body.device_code)
    return answer({"api_key": api_key, "account_id": agent.account_id})
