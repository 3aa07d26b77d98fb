"""Ask the user for consent to an order, and check the answer.

Since revision 2026-07-28 the server stores nothing while the user decides. The client calls the
tool again with the answer and with the state that it got with the form. The state is signed, and
contains a hash of the order and its price. The signature is also the idempotency key of the order,
so one consent creates one job, even when the client sends it several times.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp import types
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

from chaojiyuyan_core.text import escape_text

from ._results import ToolError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ._client import Client

CONSENT_TIMEOUT = 600.0
"""Seconds for which a form waits for its answer and a signed state is valid."""

MAX_STATE_CHARS = 500
"""Maximum characters of a state that are read. The states of this server have about 120."""

_FORM = "order"
_FIELD = "ok"
_PURPOSE = b"chaojiyuyan-mcp consent"


@dataclass(frozen=True)
class Order:
    """An order of a job.

    Attributes:
        capability_key: The key of the capability.
        input_payload: The input of the job.
        idempotency_key: The caller's own key, or None.
    """

    capability_key: str
    input_payload: Mapping[str, object]
    idempotency_key: str | None = None

    def digest(self, price_nc: int | None) -> str:
        """Return a hash of everything that the user agrees to.

        Args:
            price_nc: The price in nc, or None when it is unknown.
        """
        parts = [self.capability_key, self.input_payload, self.idempotency_key, price_nc]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class Consent:
    """Asks the user of a client for consent to an order."""

    def __init__(self, api_key: str, *, now: Callable[[], float] = time.time) -> None:
        """Derive the key that signs the states.

        It is derived from the agent key. Another agent cannot use a state, and a consent stays
        valid after a restart of the server.

        Args:
            api_key: The agent key.
            now: Returns the time in seconds since the epoch.
        """
        self._secret = hmac.digest(api_key.encode("utf-8", "replace"), _PURPOSE, "sha256")
        self._now = now

    def read(self, order: Order, price_nc: int | None, client: Client) -> str | None:
        """Return the idempotency key of the consent in a retried call.

        Args:
            order: The order.
            price_nc: The present price in nc, or None when it is unknown.
            client: The client that calls.

        Returns:
            The key, or None when the user must be asked. The user is asked again when the consent
            has expired, or the order or its price has changed.

        Raises:
            ToolError: The user did not agree.
            MCPError: The state is forged or belongs to another agent.
        """
        params = client.params
        if params is None or params.request_state is None:
            return None
        signature = self._verify(params.request_state, order.digest(price_nc))
        answer = (params.input_responses or {}).get(_FORM)
        if signature is None or answer is None:
            return None
        _check_agreed(answer, order, price_nc)
        return signature

    async def ask(
        self, order: Order, price_nc: int | None, client: Client
    ) -> types.InputRequiredResult | None:
        """Ask the user for consent to an order.

        Args:
            order: The order.
            price_nc: The present price in nc, or None when it is unknown.
            client: The client, which shows the form.

        Returns:
            The form that the client must show before it calls again. None for a client of an
            earlier revision: its user was asked during this call and agreed.

        Raises:
            ToolError: The user did not agree, or cannot be asked.
        """
        if not client.shows_forms:
            raise _unavailable(order, price_nc)
        message, schema = _message(order, price_nc), _schema(price_nc)
        if client.is_modern:
            form = types.ElicitRequestFormParams(message=message, requested_schema=schema)
            return types.InputRequiredResult(
                input_requests={_FORM: types.ElicitRequest(params=form)},
                request_state=self._state(order.digest(price_nc)),
            )
        try:
            answer = await client.ask(message, schema, timeout=CONSENT_TIMEOUT)
        except (MCPError, ValueError):  # ValueError: the answer is malformed
            raise _unavailable(order, price_nc) from None
        _check_agreed(answer, order, price_nc)
        return None

    def _state(self, digest: str) -> str:
        body = f"{secrets.token_hex(8)}.{self._now() + CONSENT_TIMEOUT:.0f}"
        return f"{body}.{digest}.{self._sign(body, digest)}"

    def _verify(self, state: str, digest: str) -> str | None:
        """Return the signature of a state, or None when it has expired or the order has changed."""
        body, _, signed = state[:MAX_STATE_CHARS].rpartition(".")
        body, _, signed_digest = body.rpartition(".")
        expected = self._sign(body, signed_digest)
        if not hmac.compare_digest(expected.encode(), signed.encode("utf-8", "replace")):
            raise MCPError(INVALID_PARAMS, "The requestState does not come from this server.")
        expires = float(body.rpartition(".")[2])
        return signed if signed_digest == digest and self._now() < expires else None

    def _sign(self, body: str, digest: str) -> str:
        message = f"{body}.{digest}".encode("utf-8", "replace")
        return hmac.new(self._secret, message, "sha256").hexdigest()


def _describe_price(price_nc: int | None) -> str:
    return "an unknown price" if price_nc is None else f"{price_nc} nc"


def _message(order: Order, price_nc: int | None) -> str:
    key = escape_text(order.capability_key, 200)
    cost = f"It costs {price_nc} nc (credits)." if price_nc is not None else "Its price is unknown."
    return f"Order one job of the capability {key}? {cost}"


def _schema(price_nc: int | None) -> dict[str, object]:
    title = "Order and pay" if price_nc is None else f"Order and pay {price_nc} nc"
    field = {"type": "boolean", "title": title, "default": False}
    return {"type": "object", "properties": {_FIELD: field}, "required": [_FIELD]}


def _check_agreed(answer: object, order: Order, price_nc: int | None) -> None:
    """Raise an error unless the user accepted the form and ticked its box."""
    if (
        isinstance(answer, types.ElicitResult)
        and answer.action == "accept"
        and (answer.content or {}).get(_FIELD) is True
    ):
        return
    raise ToolError(
        "consent_declined",
        f"the order of {order.capability_key} for {_describe_price(price_nc)} was declined or not"
        " answered: nothing was ordered",
        hint="Do not order it again unless the user asks for it.",
        price_nc=price_nc,
    )


def _unavailable(order: Order, price_nc: int | None) -> ToolError:
    return ToolError(
        "consent_unavailable",
        f"{order.capability_key} costs {_describe_price(price_nc)} and needs the user's consent,"
        " but this client cannot ask the user: nothing was ordered",
        hint="Tell the user the price. The owner of this server can allow such orders with the"
        " option --ask-above or the setting of the same name.",
        price_nc=price_nc,
    )
