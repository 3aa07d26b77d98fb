"""The operations of the device login (RFC 8628)."""

from __future__ import annotations

from typing_extensions import TypedDict

from .bodies import LoginRequest, TokenRequest
from .exchange import Answer, Exchange
from .operation import Operations

operations = Operations()


class Login(TypedDict):
    """A device login under way. Times are seconds."""

    device_code: str
    user_code: str
    verification_url: str
    verification_url_complete: str
    expires_in: int
    interval: int


class Token(TypedDict):
    """The key of an approved login."""

    api_key: str
    account_id: str


@operations.add(
    "authorize",
    "POST",
    "/oauth/device/authorize",
    {200: Login},
    {},
    body=LoginRequest,
    open=True,
)
async def authorize(exchange: Exchange) -> Answer:
    """Begin a device login."""
    request = await exchange.body(LoginRequest)
    login, device_code = await exchange.service.start_login(request.client_name)
    url = f"{exchange.origin}/activate"
    return Answer(
        {
            "device_code": device_code,
            "user_code": login.user_code,
            "verification_url": url,
            "verification_url_complete": f"{url}?code={login.user_code}",
            "expires_in": round(login.expires_at - exchange.service.clock()),
            "interval": login.interval,
        }
    )


@operations.add(
    "token",
    "POST",
    "/oauth/device/token",
    {200: Token},
    {
        410: ("expired_token", "access_denied"),
        428: ("authorization_pending",),
        429: ("slow_down",),
    },
    body=TokenRequest,
    open=True,
)
async def token(exchange: Exchange) -> Answer:
    """Ask for the outcome: 428 while it is pending, 429 when asked too fast, 410 at the end."""
    request = await exchange.body(TokenRequest)
    agent, api_key = await exchange.service.finish_login(request.device_code)
    return Answer({"api_key": api_key, "account_id": agent.account_id})
