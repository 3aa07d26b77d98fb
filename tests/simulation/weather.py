"""The faults of a simulation's network."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Weather:
    """The probability of each fault, 0 to 1, until the network is calm.

    Attributes:
        lost_request: The request never arrives; the sender waits until its timeout.
        lost_answer: The platform acts, and the answer never arrives.
        slow_answer: The answer takes up to 40 s.
        refused: The connection is refused.
        reset: The connection breaks before the answer.
        unavailable: A 500, 502 or 503, some with ``Retry-After``.
        throttled: A 429, some with ``Retry-After``.
        page: A proxy's HTML page with the status 200, 401, 403, 404, 410 or 502.
        dripped: The answer arrives at one byte per second.
        duplicated: A proxy sends the request twice.
        partial: The connection breaks while the request is written.
        latency: Maximum seconds of a message without a fault.
        date: Seconds by which the ``Date`` header is wrong; None for no header.
    """

    lost_request: float = 0.0
    lost_answer: float = 0.0
    slow_answer: float = 0.0
    refused: float = 0.0
    reset: float = 0.0
    unavailable: float = 0.0
    throttled: float = 0.0
    page: float = 0.0
    dripped: float = 0.0
    duplicated: float = 0.0
    partial: float = 0.0
    latency: float = 0.05
    date: float | None = 0.0


FAULTS = (
    "lost_request",
    "lost_answer",
    "slow_answer",
    "refused",
    "reset",
    "unavailable",
    "throttled",
    "page",
    "dripped",
    "duplicated",
    "partial",
)
"""The names of the faults, in the order in which they are drawn."""
