"""Whether a worker is alive and ready."""

from __future__ import annotations

from dataclasses import dataclass

STALLED = 120.0
"""Seconds without a step of the poll after which a worker is taken for dead: connecting, writing
and reading may each take their time first."""


@dataclass(frozen=True, slots=True)
class Health:
    """How a worker does.

    :param live: its poll has advanced of late, or it drains. That the process exists would say
        nothing.
    :param ready: its last poll succeeded, and it is not draining.
    :param draining: it finishes what is in hand and takes no more.
    :param jobs_in_hand: how many jobs it has, those that it bids on included.
    """

    live: bool
    ready: bool
    draining: bool
    jobs_in_hand: int


IDLE = Health(live=True, ready=False, draining=False, jobs_in_hand=0)
"""A worker that does not run."""
