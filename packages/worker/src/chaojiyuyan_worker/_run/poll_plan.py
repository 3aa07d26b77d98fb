"""What a poll asks for: which capability, and how many rows. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from chaojiyuyan_core import api

if TYPE_CHECKING:
    from collections.abc import Sequence

ONE_CYCLE_ROWS = 10
"""How many rows the only poll of a single cycle asks for: the platform's default."""

MAX_MARGIN = 8
"""How many rows more than there are free slots a poll asks for: rivals take some."""

MIN_MARGIN = 2
"""The same while the size of a row is not known, or where rows are large."""

MARGIN_BYTES = 1 << 20
"""How many bytes the margin may take up."""

PAGE_BYTES = 16 << 20
"""How many bytes a page may take up, by the size of the rows before it."""


class Poll(NamedTuple):
    """What one poll asks for.

    Attributes:
        capability_key: The capability; None asks for all that the agent has registered.
        limit: How many rows.
        is_whole: Whether it asks for everything that this process can take.
    """

    capability_key: str | None
    limit: int
    is_whole: bool = True


class PollPlan:
    """Decides what the polls ask for.

    One poll for all capabilities is cheapest. Only when a page of the largest size is full, and
    holds rows that this process cannot take, other rows may be hidden behind them: then each
    capability is asked for in turn, until the general page has room again.

    Attributes:
        is_crowded: Whether each capability is asked for in turn.

    Args:
        keys: The capabilities that this process handles.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = list(keys)
        self._turn = 0
        self._reach = 0
        self._cap = api.MAX_OFFERS
        self._row_bytes: float | None = None
        self.is_crowded = False

    def next(self, keys: Sequence[str], wanted: int) -> Poll:
        """Return what the next poll asks for.

        Args:
            keys: The capabilities that have room.
            wanted: How many offers the slots may take.
        """
        limit = self._limit(wanted)
        if len(self._keys) == 1:
            return Poll(self._keys[0], max(limit, self._within(self._reach)))
        if not self.is_crowded:
            return Poll(None, max(limit, self._within(self._reach)))
        turns: list[str | None] = [*keys, None]  # None finds out whether the crowd is gone
        self._turn += 1
        key = turns[self._turn % len(turns)]
        return Poll(key, limit if key else self._within(self._reach), is_whole=False)

    def turns(self, keys: Sequence[str]) -> int:
        """Return how many polls it takes to ask for everything.

        Args:
            keys: The capabilities that have room.
        """
        return len(keys) + 1 if self.is_crowded and len(self._keys) > 1 else 1

    def note_page(self, poll: Poll, rows: int, usable: int, size: int) -> None:
        """Learn from the page that a poll brought.

        Args:
            poll: The poll.
            rows: How many rows came.
            usable: How many of them this process can take.
            size: The bytes of the page.
        """
        if rows:
            self._row_bytes = size / rows
        self._cap = min(self._cap * 2, api.MAX_OFFERS)
        if poll.capability_key is not None and len(self._keys) > 1:
            return
        is_blocked = rows >= poll.limit and usable < rows
        self.is_crowded = is_blocked and poll.limit >= self._within(api.MAX_OFFERS)
        self._reach = min(poll.limit * 2, api.MAX_OFFERS) if is_blocked else 0

    def note_fault(self) -> None:
        """Learn from a fault: the page may have been too large."""
        self._cap = max(self._cap // 2, 1)

    def _limit(self, wanted: int) -> int:
        margin = MIN_MARGIN
        if self._row_bytes is not None:
            margin = min(max(int(MARGIN_BYTES // self._row_bytes), MIN_MARGIN), MAX_MARGIN)
        return self._within(wanted + margin)

    def _within(self, rows: int) -> int:
        by_size = api.MAX_OFFERS
        if self._row_bytes is not None:
            by_size = int(PAGE_BYTES // max(self._row_bytes, 1.0))
        return max(min(rows, self._cap, by_size, api.MAX_OFFERS), 1)
