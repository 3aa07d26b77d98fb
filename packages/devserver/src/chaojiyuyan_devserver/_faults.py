"""Injected faults: responses that are errors, late, broken or missing."""

import random
import re
from dataclasses import dataclass

HOLDERS = ("heartbeat", "submit")
"""The endpoints of the worker that has the job."""
ENDPOINTS = (
    *("create", "get", "list", "events", "catalog"),
    *("register", "available", "bid", *HOLDERS),
    *("authorize", "token"),
)
EVERY = "any"
"""The word for every endpoint in a fault."""
PRESETS = {
    "flaky-network": ("any=drop-before@5%", "any=drop-after@5%", "any=html@5%"),
    "slow": ("any=delay:0.8s@70%", "any=delay:4s@5%"),
    "rate-limited": ("any=429@30%",),
    "expired-leases": ("heartbeat=expire-lease@30%", "submit=expire-lease@20%"),
}
EFFECTS = (
    "a status, drop-before, drop-after, delay:<seconds>s, junk, html, or expire-lease for"
    " heartbeat and submit"
)
_FAULT = re.compile(
    r"(?P<endpoint>[a-z]+)="
    r"(?:(?P<status>[1-5]\d\d)|(?P<word>drop-before|drop-after|junk|html|expire-lease)"
    r"|delay:(?P<delay>\d+(?:\.\d+)?)s)"
    r"(?:@(?:(?P<percent>\d+(?:\.\d+)?)%|(?P<number>\d+)))?",
    re.ASCII,
)


@dataclass(slots=True)
class Fault:
    """One fault.

    Attributes:
        text: How it was written, ``ENDPOINT=EFFECT[@WHEN]``.
        endpoint: The endpoint to whose requests it applies, or ``EVERY``.
        effect: ``status``, ``drop-before``, ``drop-after``, ``delay``, ``junk``, ``html`` or
            ``expire-lease``.
        amount: The HTTP status, or the delay in seconds.
        chance: The share of requests to which it applies, from 0 to 1.
        number: The only request to which it applies, counted from 1; None for all.
        seen: How many requests of the endpoint have arrived so far.
    """

    text: str
    endpoint: str
    effect: str
    amount: float = 0.0
    chance: float = 1.0
    number: int | None = None
    seen: int = 0

    def strikes(self, chance: random.Random) -> bool:
        """Count a new request, and return whether the fault applies to it."""
        self.seen += 1
        if self.number is not None:
            return self.seen == self.number
        return self.chance >= 1.0 or chance.random() < self.chance


def parse(text: str) -> Fault:
    """Parse a fault: ``submit=503@10%``, ``heartbeat=drop-after@2`` or ``available=delay:2s``.

    Raises:
        ValueError: The fault is not valid; the message says what is expected.
    """
    match = _FAULT.fullmatch(text)
    known = match is not None and match["endpoint"] in (*ENDPOINTS, EVERY)
    if match is None or not known:
        raise ValueError(
            f"not a fault: {text!r}; expected ENDPOINT=EFFECT[@N or @P%] with one of"
            f" {', '.join(ENDPOINTS)} or {EVERY}, and {EFFECTS};"
            f" or a preset: {', '.join(PRESETS)}"
        )
    if match["word"] == "expire-lease" and match["endpoint"] not in HOLDERS:
        raise ValueError(
            f"not a fault: {text!r}; expected ENDPOINT=EFFECT with heartbeat or submit"
            " for expire-lease, since only these hold a lease"
        )
    return Fault(
        text,
        match["endpoint"],
        match["word"] or ("delay" if match["delay"] else "status"),
        float(match["status"] or match["delay"] or 0),
        float(match["percent"] or 100) / 100,
        int(match["number"]) if match["number"] else None,
    )


class Faults:
    """The faults that are set.

    Attributes:
        texts: The faults as they were written; a preset is kept as its name.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._by_endpoint: dict[str, list[Fault]] = {}
        self._chance = random.Random()  # noqa: S311 - not for secrets

    def set(self, texts: list[str]) -> None:
        """Replace all faults with these; each counts its requests from now on.

        Args:
            texts: Faults, or names of presets.

        Raises:
            ValueError: A fault is not valid; nothing has changed.
        """
        faults = [parse(one) for text in texts for one in PRESETS.get(text, (text,))]
        self.texts = list(texts)
        self._by_endpoint = {}
        for fault in faults:
            for endpoint in ENDPOINTS if fault.endpoint == EVERY else (fault.endpoint,):
                self._by_endpoint.setdefault(endpoint, []).append(fault)

    def pick(self, endpoint: str) -> list[Fault]:
        """Count a new request, and return the faults that apply to it."""
        faults = self._by_endpoint.get(endpoint)
        return [f for f in faults if f.strikes(self._chance)] if faults else []
