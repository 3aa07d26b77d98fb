"""Faults on demand: answers that fail, come late, come broken or do not come at all."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

ENDPOINTS = (
    "create",
    "get",
    "list",
    "events",
    "catalog",
    "register",
    "available",
    "bid",
    "heartbeat",
    "submit",
    "authorize",
    "token",
)
EFFECTS = "a status, drop-before, drop-after, delay:<seconds>s, junk or html"
PRESETS = {
    "flaky-network": [
        "create=drop-after@10%",
        "get=drop-before@10%",
        "available=drop-before@20%",
        "bid=drop-after@10%",
        "heartbeat=drop-before@20%",
        "submit=drop-after@10%",
    ],
    "slow": [f"{endpoint}=delay:1s@50%" for endpoint in ENDPOINTS],
    "rate-limited": [f"{endpoint}=429@30%" for endpoint in ENDPOINTS],
    "expired-leases": ["heartbeat=drop-before"],
}
"""Faults that belong together, by the name of what they simulate."""

_FAULT = re.compile(
    r"(?P<endpoint>[a-z]+)="
    r"(?:(?P<status>[1-5]\d\d)|(?P<word>drop-before|drop-after|junk|html)"
    r"|delay:(?P<delay>\d+(?:\.\d+)?)s)"
    r"(?:@(?:(?P<percent>\d+(?:\.\d+)?)%|(?P<number>\d+)))?"
)


@dataclass(slots=True)
class Fault:
    """One fault.

    Args:
        text: as it was written, ``ENDPOINT=EFFECT[@WHEN]``.
        endpoint: which requests it strikes.
        effect: ``status``, ``drop-before``, ``drop-after``, ``delay``, ``junk`` or ``html``.
        amount: the HTTP status, or the delay in seconds.
        chance: the share of requests, from 0 to 1.
        number: strike only this request, counted from 1; None for any.
        seen: how many requests of the endpoint have come so far.
    """

    text: str
    endpoint: str
    effect: str
    amount: float = 0.0
    chance: float = 1.0
    number: int | None = None
    seen: int = 0

    def strikes(self, chance: random.Random) -> bool:
        """Whether it strikes the request that came just now."""
        self.seen += 1
        if self.number is not None:
            return self.seen == self.number
        return self.chance >= 1.0 or chance.random() < self.chance


def parse(text: str) -> Fault:
    """Read ``submit=503@10%``, ``heartbeat=drop-after@2`` or ``available=delay:2s``.

    Raises:
        ValueError: it is not of that form; the text says what is.
    """
    match = _FAULT.fullmatch(text)
    if match is None or match["endpoint"] not in ENDPOINTS:
        raise ValueError(
            f"not a fault: {text!r}; expected ENDPOINT=EFFECT[@N or @P%] with one of"
            f" {', '.join(ENDPOINTS)}, and {EFFECTS}"
        )
    fault = Fault(
        text, match["endpoint"], match["word"] or ("delay" if match["delay"] else "status")
    )
    fault.amount = float(match["status"] or match["delay"] or 0)
    if match["percent"]:
        fault.chance = float(match["percent"]) / 100
    if match["number"]:
        fault.number = int(match["number"])
    return fault


class Faults:
    """The faults that are set."""

    def __init__(self) -> None:
        self._by_endpoint: dict[str, list[Fault]] = {}
        self.texts: list[str] = []
        self._chance = random.Random()  # noqa: S311 - chaos, not secrets

    def set(self, texts: list[str]) -> None:
        """Replace all faults; each counts its requests from here on.

        Raises:
            ValueError: see ``parse``; nothing has changed then.
        """
        faults = [parse(text) for text in texts]
        self._by_endpoint = {}
        self.texts = list(texts)
        for fault in faults:
            self._by_endpoint.setdefault(fault.endpoint, []).append(fault)

    def struck(self, endpoint: str) -> list[Fault]:
        """The faults that strike the request that came just now."""
        faults = self._by_endpoint.get(endpoint)
        return [f for f in faults if f.strikes(self._chance)] if faults else []

    def __bool__(self) -> bool:
        """Whether any is set."""
        return bool(self._by_endpoint)
