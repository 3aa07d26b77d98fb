"""The order of one job, and its options."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from chaojiyuyan_core import api

from ._arguments import ObjectLike, to_object
from ._tracing import TRACEPARENT
from .budget import read_price

if TYPE_CHECKING:
    from chaojiyuyan_core.api import Call
    from chaojiyuyan_core.models import JobData

Reuse = Literal["input"]
"""How an earlier job is found again: by an equal input."""


class OrderOptions(TypedDict, total=False):
    """The options of an order. They are described at :meth:`NexusClient.call`."""

    timeout_sec: int | None
    channel_context: ObjectLike | None
    max_price_nc: int | None
    reuse: Reuse | None
    validate: bool


@dataclass(frozen=True, slots=True)
class Order:
    """The order of one job.

    Attributes:
        capability_key: The key of the capability.
        input_payload: The input.
        idempotency_key: The idempotency key, with which a repeat returns the original job; None
            for no key.
        timeout_sec: Seconds after which the platform ends the job; None for no limit.
        channel_context: The origin of the job; None for no context.
        max_price_nc: Maximum price in nc; None for any price.
        validate: Whether to check the input against the catalog's schema first.
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
        """Make an order from the arguments of a method.

        Args:
            capability_key: The key of the capability.
            input_payload: The input.
            options: The options.
            idempotency_key: The caller's own idempotency key, or None.
            auto_idempotency: Whether to generate a key for an order without one.
            traceparent: The W3C trace context, or None. A ``traceparent`` in the caller's own
                `channel_context` wins.

        Raises:
            TypeError: The input or the channel context is not an object.
            ValueError: The options contradict each other, or one is invalid.
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
                raise ValueError(
                    "reuse sets the idempotency key: pass either reuse or idempotency_key"
                )
            from ._canonical import hash_input

            idempotency_key = f"input-{hash_input(capability_key, payload)}"
        elif idempotency_key is None and auto_idempotency:
            # Generated once for each call, so that all retries create the same job.
            idempotency_key = os.urandom(16).hex()
        if max_price_nc is not None and read_price(max_price_nc) is None:
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
        """Return the same order with another idempotency key.

        Args:
            number: The number of the order, from 2. It is appended to the key.
        """
        return replace(self, idempotency_key=f"{self.idempotency_key}-{number}")

    def creation(self) -> Call[JobData]:
        """Return the request that creates the job (``POST /kernel-jobs``)."""
        return api.create_job(
            self.capability_key,
            self.input_payload,
            idempotency_key=self.idempotency_key,
            timeout_sec=self.timeout_sec,
            channel_context=self.channel_context,
        )
