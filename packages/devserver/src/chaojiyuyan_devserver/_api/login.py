"""The operations of the device login (RFC 8628)."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from chaojiyuyan_devserver._ids import new_id, new_user_code

from .bodies import Login, LoginRequest, Token, TokenRequest
from .deps import Service
from .route import ApiRoute, answer, document

router = APIRouter(route_class=ApiRoute)


@router.post("/oauth/device/authorize", name="authorize", **document({200: Login}, needs_key=False))
async def authorize(request: Request, service: Service, body: LoginRequest) -> Response:
    """Start a device login."""
    device_code, now = new_id("device"), service.clock()
    login = service.kernel.logins.start(device_code, new_user_code(), body.client_name, now)
    url = f"{request.url.scheme}://{request.headers['host']}/activate"
    return answer(
        {
            "device_code": device_code,
            "user_code": login.user_code,
            "verification_url": url,
            "verification_url_complete": f"{url}?code={login.user_code}",
            "expires_in": round(login.expires_at - now),
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
    login = service.kernel.logins.poll(body.device_code, service.clock())
    account_id = service.ready_agent.account_id
    _, api_key = await service.create_agent(login.client_name, account_id=account_id)
    return answer({"api_key": api_key, "account_id": account_id})
