"""The user's consent to an order: what the form says, and what an answer to it allows.

Since revision 2026-07-28 the server keeps nothing while the user decides: the answer comes with a
retry of the call and with the state that went out with the form. The state is signed, and bound to
the order and its price. Its signature is also the idempotency key of the order, so one consent
gives one job, however often it is sent.
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
"""Seconds for which a form waits for its answer, and a signed state holds."""

MAX_STATE_CHARS = 500
"""Characters of a state that is looked at; ours have about 120."""

_FORM = "order"
_FIELD = "ok"
_PURPOSE = b"chaojiyuyan-mcp consent"


@dataclass(frozen=True)
class Order:
    """What is to be ordered.

    Attributes:
        capability_key: The capability.
        input_payload: The input.
        idempotency_key: The caller's own key, if it gave one.
    """

    capability_key: str
    input_payload: Mapping[str, object]
    idempotency_key: str | None = None

    def digest(self, price_nc: int | None) -> str:
        """Return a hash of everything that the user agrees to.

        Args:
            price_nc: The price, in nc; None where it is unknown.
        """
        parts = [self.capability_key, self.input_payload, self.idempotency_key, price_nc]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class Consent:
    """Asks the user of a client whether an order may be paid for."""

    def __init__(self, api_key: str, *, now: Callable[[], float] = time.time) -> None:
        """Derive the key that signs what goes out.

        It comes from the agent key: a state is worth nothing to another agent, and a consent
        outlives a restart of the server.

        Args:
            api_key: The agent key.
            now: The time, in seconds since the epoch.
        """
        self._secret = hmac.digest(api_key.encode("utf-8", "replace"), _PURPOSE, "sha256")
        self._now = now

    def read(self, order: Order, price_nc: int | None, client: Client) -> str | None:
        """Return the idempotency key of the consent that a retried call brings.

        Args:
            order: What is to be ordered.
            price_nc: Its price now, in nc; None where it is unknown.
            client: Who calls.

        Returns:
            The key; None where the user must be asked: for the first time, or again because the
            time is over or the order or its price has changed.

        Raises:
            ToolError: The user did not agree.
            MCPError: The state is forged or another agent's.
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
        """Ask the user whether an order may be paid for.

        Args:
            order: What is to be ordered.
            price_nc: Its price now, in nc; None where it is unknown.
            client: Shows the form.

        Returns:
            The form that the client is to show before it calls again; None for a client of an
            earlier revision, whose user was asked at once and agreed.

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
        except (MCPError, ValueError):  # ValueError: the answer has not the form of one
            raise _unavailable(order, price_nc) from None
        _check_agreed(answer, order, price_nc)
        return None

    def _state(self, digest: str) -> str:
        body = f"{secrets.token_hex(8)}.{self._now() + CONSENT_TIMEOUT:.0f}"
        return f"{body}.{digest}.{self._sign(body, digest)}"

    def _verify(self, state: str, digest: str) -> str | None:
        """Return a state's signature; None if it is too old or for another order or price."""
        body, _, signed = state[:MAX_STATE_CHARS].rpartition(".")
        body, _, signed_digest = body.rpartition(".")
        expected = self._sign(body, signed_digest)
        if not hmac.compare_digest(expected.encode(), signed.encode("utf-8", "replace")):
            raise MCPError(INVALID_PARAMS, "The requestState is not one of this server's.")
        expires = float(body.rpartition(".")[2])
        return signed if signed_digest == digest and self._now() < expires else None

    def _sign(self, body: str, digest: str) -> str:
        message = f"{body}.{digest}".encode("utf-8", "replace")
        return hmac.new(self._secret, message, "sha256").hexdigest()


def describe_price(price_nc: int | None) -> str:
    """Return a price as words."""
    return "a price that is not known" if price_nc is None else f"{price_nc} nc"


def _message(order: Order, price_nc: int | None) -> str:
    key = escape_text(order.capability_key, 200)
    cost = f"It costs {price_nc} nc (credits)." if price_nc is not None else "Its price is unknown."
    return f"Order one job of the capability {key}? {cost}"


def _schema(price_nc: int | None) -> dict[str, object]:
    title = "Order and pay" if price_nc is None else f"Order and pay {price_nc} nc"
    field = {"type": "boolean", "title": title, "default": False}
    return {"type": "object", "properties": {_FIELD: field}, "required": [_FIELD]}


def _check_agreed(answer: object, order: Order, price_nc: int | None) -> None:
    """Raise unless the form was accepted with its box ticked."""
    if (
        isinstance(answer, types.ElicitResult)
        and answer.action == "accept"
        and (answer.content or {}).get(_FIELD) is True
    ):
        return
    raise ToolError(
        "consent_declined",
        f"the order of {order.capability_key} for {describe_price(price_nc)} was declined, or"
        " nobody was there to answer: nothing was ordered",
        hint="Do not order it again unless the user asks for it.",
        price_nc=price_nc,
    )


def _unavailable(order: Order, price_nc: int | None) -> ToolError:
    return ToolError(
        "consent_unavailable",
        f"{order.capability_key} costs {describe_price(price_nc)}, which the user has to agree to,"
        " and this client cannot show the question: nothing was ordered",
        hint="Tell the user the price. The owner of this server can allow it: by --ask-above, or by"
        " the setting of that name.",
        price_nc=price_nc,
    )
