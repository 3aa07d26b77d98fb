"""What a caller orders: one job, and on which terms."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from chaojiyuyan_core import api

from ._arguments import ObjectLike, to_object
from ._tracing import TRACEPARENT

if TYPE_CHECKING:
    from chaojiyuyan_core.api import Call
    from chaojiyuyan_core.models import JobData

Reuse = Literal["input"]
"""What an earlier job must have in common with an order to be reused: its input."""


class OrderOptions(TypedDict, total=False):
    """The terms of an order, as `call` takes them; they are described there."""

    timeout_sec: int | None
    channel_context: ObjectLike | None
    max_price_nc: int | None
    reuse: Reuse | None
    validate: bool


@dataclass(frozen=True, slots=True)
class Order:
    """One job to be posted.

    Attributes:
        capability_key: The capability.
        input_payload: The input.
        idempotency_key: The key under which a repeat returns the original job; None for no key.
        timeout_sec: Seconds after which the platform gives the job up.
        channel_context: Where the job comes from.
        max_price_nc: What the job may cost, in nc; None for any price.
        validate: Whether the input is checked against the catalog's schema first.
    """

    capability_key: str
    input_payload: dict[str, Any]
    idempotency_key: str | None
    timeout_sec: int | None
    channel_context: dict[str, Any] | None
    max_price_nc: int | None
    validate: bool

    @classmethod
    def make(
        cls,
        capability_key: str,
        input_payload: ObjectLike | None,
        options: OrderOptions,
        *,
        idempotency_key: str | None,
        auto_idempotency: bool,
        traceparent: str | None,
    ) -> Order:
        """Read the arguments of a call.

        Args:
            capability_key: The capability.
            input_payload: The input.
            options: The terms.
            idempotency_key: The caller's own idempotency key.
            auto_idempotency: Whether an order without a key gets one.
            traceparent: The trace that the order belongs to; the caller's own one wins.

        Raises:
            TypeError: The input or the channel context is not an object.
            ValueError: The terms contradict each other.
        """
        payload = to_object("input_payload", input_payload)
        given = options.get("channel_context")
        context = None if given is None else to_object("channel_context", given)
        if traceparent is not None:
            context = {TRACEPARENT: traceparent, **(context or {})}
        reuse = options.get("reuse")
        max_price_nc = options.get("max_price_nc")
        if reuse is not None:
            if reuse != "input":
                raise ValueError(f'reuse is "input" or None, not {reuse!r}')
            if idempotency_key is not None:
                raise ValueError("reuse makes the idempotency key: pass one of the two")
            from ._canonical import hash_input

            idempotency_key = f"input-{hash_input(capability_key, payload)}"
        elif idempotency_key is None and auto_idempotency:
            # Made once a call, outside the retries: whatever is lost, there is one job.
            idempotency_key = os.urandom(16).hex()
        if max_price_nc is not None and (
            isinstance(max_price_nc, bool) or not isinstance(max_price_nc, int) or max_price_nc < 0
        ):
            raise ValueError(f"max_price_nc is a whole number, 0 or more, not {max_price_nc!r}")
        return cls(
            capability_key,
            payload,
            idempotency_key,
            options.get("timeout_sec"),
            context,
            max_price_nc,
            options.get("validate", False),
        )

    def numbered(self, number: int) -> Order:
        """Return the same order under a key of its own.

        Args:
            number: How many orders there are with it, from 2.
        """
        return replace(self, idempotency_key=f"{self.idempotency_key}-{number}")

    def creation(self) -> Call[JobData]:
        """Return the call that posts the job."""
        return api.create_job(
            self.capability_key,
            self.input_payload,
            idempotency_key=self.idempotency_key,
            timeout_sec=self.timeout_sec,
            channel_context=self.channel_context,
        )
